/** A nominal type: a `Brand<string, 'KeyId'>` is a string that cannot be passed where another id is expected. */
declare const brand: unique symbol;
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
