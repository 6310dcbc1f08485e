/** What RFC 3986 §3.2.2 lets a host be written with, and the colon of its port. */
const written = /^[A-Za-z0-9._~!$&'()*+,;=:%[\]-]*$/;

/**
 * Whether a Host or :authority can be nothing else: one with `/`, `?`, `#`, `\` or `@` in it would be another host in a Location,
 * and match suffixes of domains that it is not under. By characters alone, like Envoy, which lets `@` through; an
 * empty one is none. Pure.
 */
export function isAuthority(value: string): boolean {
  return written.test(value);
}
