#!/usr/bin/env bash
# Installs what `npm run test:operator` needs and the machine lacks, into .cache/operator-tools/: promtool from Debian's
# package, kustomize where there is no recent kubectl, and the Python package kubernetes-validate with the schemas of
# Kubernetes. Run again, it finds everything in place. Needs Debian or Ubuntu for promtool (as root only where apt has never
# been updated), Go for kustomize, and Python 3 with pip.
set -euo pipefail
cd "$(dirname "$0")/.."

KUSTOMIZE_VERSION=v5.5.0
KUBERNETES_VALIDATE_VERSION=1.37.0
FOLDER=$PWD/.cache/operator-tools
PATH=$FOLDER/bin:$PATH
mkdir -p "$FOLDER/bin"

has() { command -v "$1" >/dev/null; }
fail() { printf 'install-operator-tools: %s\n' "$1" >&2 && exit 1; }

install_promtool() {
  has apt-get && has dpkg || fail 'promtool is missing: install it from a release of Prometheus, and put it on the path.'
  rm -rf "$FOLDER/download" && mkdir "$FOLDER/download"
  # Unpacked, not installed: the package would start a server.
  (
    cd "$FOLDER/download"
    apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq && apt-get download -qq prometheus; }
    dpkg -x prometheus_*.deb unpacked
    install unpacked/usr/bin/promtool "$FOLDER/bin/promtool"
  ) || fail 'promtool could not be taken from the Debian package prometheus: run `apt-get update` as root, or put promtool on the path.'
  rm -r "$FOLDER/download"
}

# The kustomize inside kubectl knows components since version 4; the tests run with version 5.
has_kustomize() { kubectl version --client 2>/dev/null | grep -q 'Kustomize Version: v[5-9]' || has kustomize; }

install_kustomize() {
  has go || fail 'there is neither kubectl 1.27 or newer nor kustomize 5, and no Go to build kustomize: install one of the three.'
  GOBIN=$FOLDER/bin go install "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE_VERSION" ||
    fail 'kustomize could not be built: install kubectl 1.27 or newer, or kustomize 5.'
}

has_validate() {
  PYTHONPATH=$FOLDER/python python3 -m kubernetes_validate --version 2>/dev/null |
    grep -qF "$KUBERNETES_VALIDATE_VERSION"
}

install_validate() {
  has python3 || fail 'Python 3 with pip is missing: install python3 and python3-pip.'
  rm -rf "$FOLDER/python"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --target "$FOLDER/python" "kubernetes-validate==$KUBERNETES_VALIDATE_VERSION" ||
    fail "kubernetes-validate could not be installed: see what pip says above."
}

has promtool || install_promtool
has_kustomize || install_kustomize
has_validate || install_validate
printf 'promtool, kustomize and kubernetes-validate are in place.\n'
