const limits = { count: 16, bytes: 512 } as const;

/** Why a JWT-SVID cannot be for these audiences (JWT-SVID §3.2); undefined: it can. Repeats nothing of them. */
export function audienceFault(audiences: readonly string[]): string | undefined {
  const { count, bytes } = limits;
  if (audiences.length === 0) return 'an audience is required: name whom the token is for';
  if (audiences.length > count) return `at most ${count} audiences: ask for a token for each of them`;
  if (audiences.some((each) => each === '')) return 'an audience must not be empty';
  if (audiences.some((each) => Buffer.byteLength(each) > bytes)) return `an audience must be at most ${bytes} bytes`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is refused
  if (audiences.some((each) => /[\u0000-\u001f\u007f]/.test(each))) return 'an audience must not hold control characters';
  return new Set(audiences).size < audiences.length ? 'an audience is named twice' : undefined;
}
