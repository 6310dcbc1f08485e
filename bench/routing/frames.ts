/** HTTP/2 frames as far as a load needs them (RFC 9113 §4, §6): made once and copied, so that what is measured is the proxy. */
export const frameType = { data: 0, headers: 1, settings: 4, ping: 6, goaway: 7 } as const;
export const endStream = 1;
const endHeaders = 4;
export const ack = 1;
const hugeWindow = 0x7fffffff - 65_535;

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(streamId, 5);
  bytes.set(payload, 9);
  return bytes;
}

/** SETTINGS with the largest stream window, and as much for the connection. */
export function opening(): Buffer {
  const window = Buffer.alloc(6);
  window.writeUInt16BE(4, 0);
  window.writeUInt32BE(0x7fffffff, 2);
  return Buffer.concat([frame(frameType.settings, 0, 0, window), moreWindow(hugeWindow)]);
}

export function moreWindow(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(8, 0, 0, payload);
}

/** `known`: whole fields of the static table, by index; then literals, that no table is to keep (RFC 7541 §6.2.2). */
export function headersFrame(known: readonly number[], literals: readonly (readonly [string, string])[], ends: boolean): Buffer {
  const text = (value: string) => [Buffer.from([value.length]), Buffer.from(value, 'latin1')];
  const fields = literals.flatMap(([name, value]) => [Buffer.from([0]), ...text(name), ...text(value)]);
  const block = Buffer.concat([Buffer.from(known.map((index) => 0x80 | index)), ...fields]);
  return frame(frameType.headers, endHeaders | (ends ? endStream : 0), 0, block);
}

/** The same frames for another stream. */
export function forStream(frames: Buffer, starts: readonly number[], streamId: number): Buffer {
  const copy = Buffer.from(frames);
  for (const at of starts) copy.writeUInt32BE(streamId, at + 5);
  return copy;
}

/** Where each of some frames begins. */
export function startsOf(frames: Buffer): number[] {
  const starts: number[] = [];
  for (let at = 0; at < frames.length; at += 9 + frames.readUIntBE(at, 3)) starts.push(at);
  return starts;
}

/** Calls `take` for each whole frame of what comes in pieces. `first`: of the payload. */
export class FrameReader {
  readonly #take: (type: number, flags: number, streamId: number, length: number, first: number) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(take: (type: number, flags: number, streamId: number, length: number, first: number) => void) {
    this.#take = take;
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= 9) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < 9 + length) break;
      this.#take(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, bytes.readUInt32BE(at + 5) & 0x7fffffff, length, bytes[at + 9] ?? 0);
      at += 9 + length;
    }
    this.#rest = bytes.subarray(at);
  }
}
