/**
 * Frames of yamux, version 0 (hashicorp/yamux, spec.md): many streams over one connection, each with its own window, an end for each
 * direction, and a reset. Pure but for the reader's place in the bytes.
 */

export const headerBytes = 12;

export const frameType = { data: 0, window: 1, ping: 2, goAway: 3 } as const;
export const frameFlag = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;

/** What a stream may send before it is given more. The specification's, for both sides. */
export const initialWindow = 262_144;

export interface FrameHeader {
  readonly type: number;
  readonly flags: number;
  /** 0: the connection itself. */
  readonly stream: number;
  /** Bytes that follow, the window's growth, a ping's number, or why somebody goes away. */
  readonly length: number;
}

/** A whole frame; `payload` is copied behind its header, so that one write carries both. */
export function encodeFrame({ type, flags, stream, length }: FrameHeader, payload?: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + (payload?.length ?? 0));
  frame.writeUInt8(0, 0);
  frame.writeUInt8(type, 1);
  frame.writeUInt16BE(flags, 2);
  frame.writeUInt32BE(stream, 4);
  frame.writeUInt32BE(length, 8);
  payload?.copy(frame, headerBytes);
  return frame;
}

export interface FrameHandler {
  /** Before its payload; of frames without one, all there is. A text refuses it, and ends the reading. */
  onFrame(header: FrameHeader): string | undefined;
  /** In order, in pieces as they come. */
  onPayload(stream: number, piece: Buffer): void;
  /** The last piece was told. Called for frames of data alone, empty ones too. */
  onPayloadEnd(header: FrameHeader): void;
}

/** Takes bytes however they are cut. Keeps none but those of a header that is not whole: payloads are handed on as they come. */
export class FrameReader {
  readonly #handler: FrameHandler;
  #header = Buffer.alloc(0);
  #now: FrameHeader | undefined;
  #left = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Why the bytes are no frames, or were refused; nothing may be pushed after that. */
  push(chunk: Buffer): string | undefined {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#now !== undefined) {
        rest = this.#payload(this.#now, rest);
        continue;
      }
      const whole = this.#header.length === 0 ? rest : Buffer.concat([this.#header, rest]);
      if (whole.length < headerBytes) {
        // A copy: what it is cut from may be large.
        this.#header = Buffer.from(whole);
        return undefined;
      }
      this.#header = Buffer.alloc(0);
      rest = whole.subarray(headerBytes);
      const fault = this.#begin(whole);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #begin(bytes: Buffer): string | undefined {
    if (bytes.readUInt8(0) !== 0) return `version ${bytes.readUInt8(0)} of frames`;
    const header = {
      type: bytes.readUInt8(1),
      flags: bytes.readUInt16BE(2),
      stream: bytes.readUInt32BE(4),
      length: bytes.readUInt32BE(8),
    };
    const refused = this.#handler.onFrame(header);
    if (refused !== undefined || header.type !== frameType.data) return refused;
    if (header.length === 0) this.#handler.onPayloadEnd(header);
    else {
      this.#now = header;
      this.#left = header.length;
    }
    return undefined;
  }

  #payload(header: FrameHeader, bytes: Buffer): Buffer {
    const piece = bytes.subarray(0, this.#left);
    this.#left -= piece.length;
    this.#handler.onPayload(header.stream, piece);
    if (this.#left === 0) {
      this.#now = undefined;
      this.#handler.onPayloadEnd(header);
    }
    return bytes.subarray(piece.length);
  }
}
