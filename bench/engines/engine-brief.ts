/** What the process of an engine under test is told by the one that measures it. */
export interface EngineBrief {
  readonly engine: OurEngine;
  readonly cluster: string;
  readonly trustDomain: string;
  /** PKCS#8; it travels over the pipe between the two only. */
  readonly keyPem: string;
  /** DER in base64, leaf first. */
  readonly chain: readonly string[];
  readonly roots: readonly string[];
  readonly intermediates: readonly { readonly cluster: string; readonly certificate: string }[];
  readonly part: EnginePart;
}

export type OurEngine = 'native' | 'node';

/** What it is to do. Ports are on 127.0.0.1. */
export type EnginePart =
  | {
      readonly kind: 'passthrough';
      readonly routes: number;
      readonly originPort: number;
      readonly changeEveryMs: number | undefined;
      readonly accessLog: boolean;
    }
  | { readonly kind: 'http'; readonly version: 'http1' | 'http2'; readonly originPort: number }
  | { readonly kind: 'terminate'; readonly originPort: number; readonly resume: boolean }
  | { readonly kind: 'originate'; readonly farPort: number; readonly uriSan: string; readonly resume: boolean };

/** Its first message, when it serves. */
export interface EngineServes {
  readonly port: number;
  /** Which one runs: another than was asked for when that is not to be had. */
  readonly engine: OurEngine;
}

/** The argument with which main serves in place of measuring. */
export const engineProcessArgument = 'engine-process';

/** What it is told so that it gives up its garbage, and says when it has. */
export const collectGarbage = 'collect-garbage';
