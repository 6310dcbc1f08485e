import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { onEnd } from '../on-end.ts';

type PrivateKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

/** An issuer of tokens on loopback: discovery, keys, and whatever token a test wants of it. */
export interface TokenIssuer {
  readonly url: string;
  readonly keys: JWK[];
  readonly privateKey: PrivateKey;
  /** Requests for keys so far. */
  asked(): number;
  /** From now on it answers 503. */
  down: boolean;
  /** `claims` replace those of a token that is as it should be; undefined takes one away. */
  token(claims?: Record<string, unknown>, header?: { alg?: string; kid?: string }, key?: PrivateKey | Uint8Array): Promise<string>;
}

export interface TokenIssuerOptions {
  readonly now: () => number;
  readonly audience: string;
  readonly alg?: string;
  /** Of a token that is as it should be, besides sub, aud, iat, exp and jti. */
  readonly claims?: Record<string, unknown>;
}

let tokens = 0;

export async function startTokenIssuer(
  t: TestContext,
  { now, audience, alg = 'RS256', claims: usual = {} }: TokenIssuerOptions,
): Promise<TokenIssuer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const keys: JWK[] = [{ ...(await exportJWK(publicKey)), kid: 'key-1', alg, use: 'sig' }];
  let asked = 0;
  const server = createServer((request, response) => {
    if (issuer.down) return void response.writeHead(503).end();
    const json = request.url === '/.well-known/openid-configuration' ? { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` } : { keys };
    if (!('issuer' in json)) asked += 1;
    response.setHeader('content-type', 'application/json').end(JSON.stringify(json));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onEnd(t, async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close').catch(() => undefined);
  });
  const issuer: TokenIssuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys,
    privateKey,
    asked: () => asked,
    down: false,
    async token(claims = {}, header = {}, key = privateKey) {
      const seconds = Math.floor(now() / 1_000);
      tokens += 1;
      const full: Record<string, unknown> = {
        iss: issuer.url,
        sub: 'robot',
        aud: audience,
        iat: seconds,
        exp: seconds + 600,
        jti: `token-${tokens}`,
        ...usual,
        ...claims,
      };
      const payload = Object.fromEntries(Object.entries(full).filter(([, value]) => value !== undefined)) as JWTPayload;
      return new SignJWT(payload).setProtectedHeader({ alg, kid: 'key-1', ...header }).sign(key);
    },
  };
  return issuer;
}
