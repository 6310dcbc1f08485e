/** PEM blocks of certificates (RFC 7468), leaf first as given. */
export function certificatesToPem(chain: readonly Uint8Array[]): string {
  return chain.map((der) => block('CERTIFICATE', der)).join('');
}

export function csrToPem(der: Uint8Array): string {
  return block('CERTIFICATE REQUEST', der);
}

function block(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replace(/(.{64})(?=.)/g, '$1\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/** Every block of that label, in order; empty when there is none. What the bytes mean is for their parser to say. */
export function pemBlocks(text: string, label: 'CERTIFICATE' | 'CERTIFICATE REQUEST'): Buffer[] {
  const blocks = text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----/g);
  return [...blocks].filter((m) => m[1] === label).map((m) => Buffer.from(m[2] ?? '', 'base64'));
}
