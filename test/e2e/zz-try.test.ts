import { it } from 'vitest';
import { startStack } from '../support/e2e-stack.ts';
import { openWays, WAYS } from '../support/e2e-ways.ts';
import type { AskedCheck } from '../support/check-messages.ts';
it('tries', async () => {
  const stack = await startStack();
  const ways = await openWays(stack);
  const a = await stack.keys.create();
  const b = await stack.keys.create();
  const B = (k: string): [string, string] => ['authorization', `Bearer ${k}`];
  const basic = (s: string): [string, string] => ['authorization', `Basic ${Buffer.from(s, 'latin1').toString('base64')}`];
  const b64 = Buffer.from(`${a.text}:`).toString('base64');
  const R = '/v1/read';
  const T: [string, AskedCheck][] = [
    ['3 two auth', { path: R, headers: [B(a.text), B(b.text)] }],
    ['3 two auth same', { path: R, headers: [B(a.text), B(a.text)] }],
    ['3 merged', { path: R, headers: [['authorization', `Bearer ${a.text},Bearer ${b.text}`]] }],
    ['3 merged blank', { path: R, headers: [['authorization', `Bearer ${a.text}, Bearer ${b.text}`]] }],
    ['3 empty then good', { path: R, headers: [['authorization', ''], B(a.text)] }],
    ['3 good then empty', { path: R, headers: [B(a.text), ['authorization', '']] }],
    ['4 two', { path: R, headers: [['x-api-key', a.text], ['X-API-Key', b.text]] }],
    ['4 a,b', { path: R, headers: [['x-api-key', `${a.text},${b.text}`]] }],
    ['4 a, a', { path: R, headers: [['x-api-key', `${a.text}, ${a.text}`]] }],
    ['4 empty + good', { path: R, headers: [['x-api-key', ''], ['x-api-key', a.text]] }],
    ['5 bearer+header', { path: R, headers: [B(a.text), ['x-api-key', b.text]] }],
    ['5 bearer+header same', { path: R, headers: [B(a.text), ['x-api-key', a.text]] }],
    ['5 bearer+query', { path: `${R}?api_key=${a.text}`, headers: [B(a.text)] }],
    ['5 basic+query', { path: `${R}?api_key=${a.text}`, headers: [basic(`${a.text}:`)] }],
    ['5 basic+bearer', { path: R, headers: [basic(`${a.text}:`), B(a.text)] }],
    ['5 good bearer + cookie', { path: R, headers: [B(a.text), ['cookie', `sid=${b.text}; a=1`]] }],
    ['5 bad bearer + good cookie', { path: R, headers: [B('nope'), ['cookie', `sid=${b.text}`]] }],
    ['5 empty query + good', { path: `${R}?api_key=`, headers: [B(a.text)] }],
    ['6 empty', { path: R, headers: [['authorization', '']] }],
    ['6 Bearer', { path: R, headers: [['authorization', 'Bearer']] }],
    ['6 Bearer  ', { path: R, headers: [['authorization', 'Bearer  ']] }],
    ['6 tab', { path: R, headers: [['authorization', `Bearer\t${a.text}`]] }],
    ['6 trailing tab', { path: R, headers: [['authorization', `Bearer ${a.text}\t`]] }],
    ['6 bearer', { path: R, headers: [['authorization', `bearer ${a.text}`]] }],
    ['6 BEARER   ', { path: R, headers: [['authorization', `BEARER   ${a.text}`]] }],
    ['6 unknown', { path: R, headers: [['authorization', `Digest ${a.text}`]] }],
    ['6 unknown commas', { path: R, headers: [['authorization', `Digest a="1", b="2"`]] }],
    ['6 empty+cookie', { path: R, headers: [['authorization', ''], ['cookie', `sid=${a.text}`]] }],
    ['6 Bearer+cookie', { path: R, headers: [['authorization', 'Bearer'], ['cookie', `sid=${a.text}`]] }],
    ['6 none + empty xapikey', { path: R, headers: [['x-api-key', '']] }],
    ['6 empty xapikey + cookie', { path: R, headers: [['x-api-key', ''],['cookie', `sid=${a.text}`]] }],
    ['6 empty query + cookie', { path: `${R}?api_key=`, headers: [['cookie', `sid=${a.text}`]] }],
    ['7 1', { path: R, headers: [B('x')] }],
    ['7 255', { path: R, headers: [B('x'.repeat(255))] }],
    ['7 odd 512', { path: R, headers: [B('odd' + 'x'.repeat(509))] }],
    ['7 odd 513', { path: R, headers: [B('odd' + 'x'.repeat(510))] }],
    ['7 8k', { path: R, headers: [B('odd' + 'x'.repeat(8192))] }],
    ['7 30k', { path: R, headers: [B('x'.repeat(30_000))] }],
    ['7 59k', { path: R, headers: [B('x'.repeat(59_000))] }],
    ['7 header 59k', { path: R, headers: [['x-api-key', 'x'.repeat(59_000)]] }],
    ['7 60KiB', { path: R, headers: [B('x'.repeat(61_440))] }],
    ['7 query 8k', { path: `${R}?api_key=${'x'.repeat(8192)}` }],
    ['8 !', { path: R, headers: [['authorization', `Basic ${b64.slice(0, 8)}!!!${b64.slice(8)}`]] }],
    ['8 nopad', { path: R, headers: [['authorization', `Basic ${b64.replace(/=+$/, '')}`]] }],
    ['8 sound', { path: R, headers: [['authorization', `Basic ${b64}`]] }],
    ['8 trailing', { path: R, headers: [['authorization', `Basic ${b64}AAAA`]] }],
    ['8 trailing2', { path: R, headers: [['authorization', `Basic ${b64} x`]] }],
    ['9 nonutf8', { path: R, headers: [basic('\xff\xfe:')] }],
    ['9 bom', { path: R, headers: [basic(`\xef\xbb\xbf${a.text}:`)] }],
    ['9 overlong', { path: R, headers: [basic(`\xc0\xaf:`)] }],
    ['9 cr', { path: R, headers: [basic(`${a.text}\r:`)] }],
    ['9 lf', { path: R, headers: [basic(`${a.text}\n:`)] }],
    ['9 nul', { path: R, headers: [basic(`${a.text}\0:`)] }],
    ['9 del', { path: R, headers: [basic(`${a.text}\x7f:`)] }],
    ['9 nocolon', { path: R, headers: [basic(a.text)] }],
    ['9 many', { path: R, headers: [basic(`${a.text}:::`)] }],
    ['9 pw', { path: R, headers: [basic(`${a.text}:pw`)] }],
    ['9 empty user', { path: R, headers: [basic(`:${a.text}`)] }],
    ['9 both empty', { path: R, headers: [basic(':')] }],
    ['9 nothing', { path: R, headers: [basic('')] }],
    ['10 x-a', { path: R, headers: [B(a.text), ['x-a', '\xff\xfe\x80'], ['user-agent', '\xc3\x28']] }],
    ['10 cookie', { path: R, headers: [B(a.text), ['cookie', 'a=\xff']] }],
    ['10 key', { path: R, headers: [['x-api-key', `${a.text}\xff`]] }],
    ['10 bearer', { path: R, headers: [B(`\xff`)] }],
    ['10 host', { path: R, host: 'a\xff', headers: [B(a.text)] }],
    ['10 path', { path: '/v1/\xff', headers: [B(a.text)] }],
    ['10 query', { path: `${R}?a=\xff`, headers: [B(a.text)] }],
    ['10 name', { path: R, headers: [B(a.text), ['x-\xff', '1']] }],
  ];
  const adm = (path: string, extra: Partial<AskedCheck> = {}): AskedCheck => ({ path, headers: [B(a.text)], ...extra });
  for (const p of ['//v1/admin', '/v1//admin', '///', '/v1/./admin', '/v1/read/../admin', '/v1/none/../admin', '/v1/none/..;/admin', '/v1/none/%2e%2e/admin', '/v1/none/%2E./admin', '/%2e/v1/admin', '/v1/none%2f..%2fadmin', '/v1/none%5c..%5cadmin', '/v1/none\\..\\admin', '/v1/none/%00', '/v1/admin%00', '/v1/%61dmin', '/v1/%2561dmin', '/v1/none/%252e%252e/admin', '/v1/none/%zz', '/v1/none/%', '/v1/none/%c0%af', '/v1/none/%c0%ae%c0%ae/admin', '/v1/admin;x=1', '/v1/admin;/..', '/v1/none;/../admin', '/v1/none/;x', '/V1/Admin', '/v1/admin/', '/v1/admin.', '/v1/admin?x', '/v1/admin#x', '/v1/none#/../admin', 'http://localhost/v1/admin', 'http://open.example.com/v1/admin', '*', '', '/v1/admin%3fx', '/v1/admin%23', '/v1/none/%u002e', '/v1/none/\x01', '/v1/none/a b', '/v1/read?x=/../admin', '/v1/none/%25%32%65'])
    T.push([`path ${JSON.stringify(p)}`, adm(p)]);
  for (const m of ['get', 'GETX', 'TRACE', 'HEAD', 'OPTIONS', 'CONNECT', 'PRI', 'G@T', 'POST', 'PROPFIND', 'X'.repeat(33)]) T.push([`method ${m}`, adm(R, { method: m })]);
  T.push(['preflight', { path: '/v1/preflight', method: 'OPTIONS' }]);
  T.push(['preflight other', { path: '/v1/read', method: 'OPTIONS', headers: [['origin', 'https://x'], ['access-control-request-method', 'GET']] }]);
  for (const h of ['open.example.com', 'OPEN.Example.COM', 'open.example.com:8080', 'open.example.com.', 'open.example.com.:80', 'admin.example.com', 'Admin.example.com:1', 'a.open.example.com', 'example.com', 'open.example.com@admin.example.com', 'open.example.com,admin.example.com', 'open.example.com/', '', 'open.example.com..', '[::1]', '[::1', 'x:99999'] ) T.push([`host ${h}`, { path: '/hosted', host: h }]);
  for (const q of ['api_key=K&api_key=K', 'api%5Fkey=K', 'API_KEY=K', 'api_key[]=K', 'api%5fkey=K&api_key=K', 'api_key=K;x=1', 'x=1;api_key=K', 'api_key=K%20', 'api_key=+K', 'api_key=%2BK', 'api_key=K&x=%zz', 'api_key', 'api_key=', '%zz=1&api_key=K', 'api_key=K%2', '&&api_key=K&', '?api_key=K', ' api_key=K', 'a+pi_key=K']) T.push([`query ${q}`, { path: `${R}?${q.replaceAll('K', a.text)}` }]);
  for (const c of ['sid=K', 'sid=K; sid=K', 'sid="K"', '__Host-sid=K', 'SID=K', 'sid =K', ' sid=K', 'sid=', 'sid', 'sid=K;', 'a=1;sid=K', 'a=1, sid=K', `sid=${'x'.repeat(5000)}`, 'sid=K=', '$sid=K', 'sid=K,b=2']) T.push([`cookie ${c.slice(0, 30)}`, { path: R, headers: [['cookie', c.replaceAll('K', a.text)]] }]);
  T.push(['two cookie lines same', { path: R, headers: [['cookie', `sid=${a.text}`], ['cookie', `sid=${a.text}`]] }]);
  T.push(['two cookie lines other', { path: R, headers: [['cookie', `sid=${a.text}`], ['cookie', `b=2`]] }]);
  T.push(['two cookie lines other first', { path: R, headers: [['cookie', `b=2`], ['cookie', `sid=${a.text}`]] }]);
  T.push(['none two cookie lines other first', { path: '/v1/none/x', headers: [['cookie', `b=2`], ['cookie', `sid=${a.text}`]] }]);
  const w = await stack.keys.create({ scopes: ['write'] });
  const W = (h: [string, string][]): AskedCheck => ({ path: '/v1/write', method: 'POST', headers: [['cookie', `sid=${w.text}`], ...h] });
  T.push(['csrf none', W([])]);
  for (const s of ['cross-site', 'same-site', 'same-origin', 'none', 'Same-Origin', '']) T.push([`csrf site ${s}`, W([['sec-fetch-site', s]])]);
  for (const o of ['null', 'https://evil.example', 'https://app.example.com', 'https://app.example.com.', 'http://app.example.com', '']) T.push([`csrf origin ${o}`, W([['origin', o]])]);
  T.push(['csrf both', W([['origin', 'https://app.example.com'], ['sec-fetch-site', 'cross-site']])]);
  T.push(['csrf two origin', W([['origin', 'https://app.example.com'], ['origin', 'https://evil.example']])]);
  T.push(['csrf two site', W([['sec-fetch-site', 'same-origin'], ['sec-fetch-site', 'cross-site']])]);
  T.push(['csrf header cred', { path: '/v1/write', method: 'POST', headers: [B(w.text), ['sec-fetch-site', 'cross-site']] }]);
  T.push(['csrf get', { path: '/v1/read', headers: [['cookie', `sid=${a.text}`], ['sec-fetch-site', 'cross-site']] }]);
  T.push(['csrf upgrade', { path: '/v1/read', headers: [['cookie', `sid=${a.text}`], ['sec-fetch-site', 'cross-site'], ['connection', 'upgrade'], ['upgrade', 'websocket']] }]);
  for (const n of [80, 90, 95, 100, 101, 1000]) T.push([`headers ${n}`, { path: R, headers: [B(a.text), ...Array.from({ length: n - 6 }, (_, i): [string, string] => [`x-${i}`, '1'])] }]);
  T.push(['60k header', { path: R, headers: [B(a.text), ['x', 'x'.repeat(59_000)]] }]);
  T.push(['5k cookies', { path: R, headers: [B(a.text), ['cookie', Array.from({ length: 5000 }, (_, i) => `c${i}=1`).join('; ')]] }]);
  T.push(['proto header', { path: R, headers: [B(a.text), ['__proto__', 'x'], ['constructor', 'x']] }]);
  T.push(['proto cookie', { path: R, headers: [['cookie', `__proto__=1; sid=${a.text}`]] }]);
  T.push(['proto query', { path: `${R}?__proto__=1&api_key=${a.text}` }]);
  for (const h of ['x-original-url', 'x-rewrite-url', 'x-http-method-override', 'x-method-override', 'x-envoy-original-path', 'x-forwarded-prefix']) { T.push([`override public ${h}`, { path: '/v1/none/x', headers: [[h, h.includes('method') ? 'DELETE' : '/v1/admin']] }]); T.push([`override admin ${h}`, adm('/v1/admin', { headers: [B(a.text), [h, h.includes('method') ? 'OPTIONS' : '/v1/none/x']] })]); }
  T.push(['grpc-web', { path: '/echo.Echo/Echo', method: 'POST', headers: [['content-type', 'application/grpc-web+proto']] }]);
  T.push(['ws', { path: R, headers: [['connection', 'upgrade'], ['upgrade', 'websocket']] }]);
  const out: string[] = [];
  for (const [name, req] of T) {
    const vs: string[] = [];
    for (const way of WAYS) vs.push(await ways.ask(way, req).catch((e: Error) => `ERR ${e.message}`));
    const uniq = [...new Set(vs)];
    out.push(`${name.padEnd(45)} ${uniq.length === 1 ? uniq[0] : vs.join(' | ')}`);
  }
  console.log(out.join('\n'));
  await stack.stop();
}, 300_000);
