import type { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Any } from '../gen/google/protobuf/any.ts';
import type { Duration } from '../gen/google/protobuf/duration.ts';

/** A generated message's encoder. */
interface Encoder<T> {
  encode(message: T): BinaryWriter;
}

/** `name`: the full name of the message's type. */
export function packed<T>(name: string, type: Encoder<T>, message: T): Any {
  return { typeUrl: `type.googleapis.com/${name}`, value: Buffer.from(type.encode(message).finish()) };
}

/** A message without any field set. */
export function emptyConfig(name: string): Any {
  return { typeUrl: `type.googleapis.com/${name}`, value: Buffer.alloc(0) };
}

export function duration(ms: number): Duration {
  const whole = Math.round(ms);
  return { seconds: Math.floor(whole / 1000), nanos: (whole % 1000) * 1_000_000 };
}
