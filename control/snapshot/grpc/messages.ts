import { createHash } from 'node:crypto';
import { envoyTypeUrls } from '../../../core/xds/index.ts';
import type { DialectResource } from '../dialect.ts';

type Message<T, P> = { create(base?: P): T; encode(message: T): { finish(): Uint8Array } };

const typePrefix = 'type.googleapis.com/envoy.';

/** google.protobuf.Any of one of Envoy's messages; `type` without the prefix that they share. */
export function pack<T, P>(type: string, message: Message<T, P>, value: P): { typeUrl: string; value: Buffer } {
  return { typeUrl: `${typePrefix}${type}`, value: Buffer.from(message.encode(message.create(value)).finish()) };
}

/** A resource whose version is a hash of its bytes. */
export function resourceOf<T, P>(type: keyof typeof envoyTypeUrls, name: string, message: Message<T, P>, value: P): DialectResource {
  const bytes = message.encode(message.create(value)).finish();
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  return { typeUrl: envoyTypeUrls[type], name, version, value: bytes };
}

/** Everything comes over the one stream. */
export const overAds = { configSourceSpecifier: { $case: 'ads', value: {} } } as const;

/** Of providers in the bootstrap; core/xds/grpc names them. */
export const providerInstance = (instanceName: string) => ({ instanceName, certificateName: '' });
