import type { Protocol } from '../../../core/model/index.ts';

/**
 * Some fields of the traffic kinds and what they are to do, as data: played through our own proxy and through Envoy, which are told the
 * same. All cases are in force at once, each in a namespace of its own, so that none waits for another.
 */
export interface FieldCase {
  /** Unique. */
  readonly name: string;
  /** YAML; objects that say no namespace are in the case's own. `$NS` is its name, `$CERTS` the folder of `certificates`. */
  readonly config: string;
  /** Default: `reviews`, HTTP on port 80, with v1, v2 and v3. */
  readonly services?: readonly ServiceSpec[];
  readonly steps: readonly Step[];
}

export interface ServiceSpec {
  readonly name: string;
  /** What callers dial → protocol. Default {80: 'http'}. */
  readonly ports?: Readonly<Record<number, Protocol>>;
  /** By name, which is its label `version` too, and unique within the case. */
  readonly instances: Readonly<Record<string, InstanceSpec>>;
}

export interface InstanceSpec {
  readonly labels?: Readonly<Record<string, string>>;
  /** REGION/ZONE/SUBZONE; callers are in r1/z1/s1. */
  readonly locality?: string;
  readonly weight?: number;
  /** Nobody listens there. */
  readonly down?: true;
  /** It ends TLS itself, as `$CERTS/server.crt` has it: DNS name `backend.example.com`. */
  readonly tls?: true;
}

export interface Step {
  /** By instance, from now on; counts of requests begin anew. */
  readonly behave?: Readonly<Record<string, Behaviour>>;
  readonly ask: Ask;
  /** Default 1. */
  readonly times?: number;
  /** Calls under way at a time; default 1. */
  readonly atOnce?: number;
  readonly expect: Expectation;
  /** Played again until it is as expected: what proxies find out by themselves takes its time. */
  readonly eventually?: true;
}

export interface Behaviour {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly delayMs?: number;
  /** Ends the connection instead of answering. */
  readonly reset?: true;
  /** Only so many requests; then it is well. */
  readonly first?: number;
  /** What /healthz is answered, which is neither counted nor changed by the rest. Default 200. */
  readonly health?: number;
}

export interface Ask {
  /** Default: the first service, its first port. */
  readonly service?: string;
  readonly port?: number;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of this header each call has a value of its own, or of this query parameter where it begins with `?`. */
  readonly vary?: string;
  /** Cookies that answers set are sent with the calls after. */
  readonly keepCookies?: true;
  /** Source address, of 127.0.0.0/8. */
  readonly from?: string;
  /** Bytes instead of HTTP; `sni`: over TLS. */
  readonly dial?: { readonly sni?: string };
}

/** What is not said may be anything. */
export interface Expectation {
  /** Those of all answers; 0: none came. */
  readonly status?: number | readonly number[];
  /** Exactly these have answered. */
  readonly by?: string | readonly string[];
  /** Of the answers, in percent, by instance or by `=STATUS`; within what chance allows. */
  readonly shares?: Readonly<Record<string, number>>;
  /** So many instances at least have answered. */
  readonly spread?: number;
  /** All were answered by one, whoever it is. */
  readonly sticky?: true;
  /** What the backend saw of every request. */
  readonly saw?: { readonly path?: string; readonly method?: string; readonly headers?: Readonly<Record<string, string | null>> };
  /** Headers of every answer; null: not there. */
  readonly told?: Readonly<Record<string, string | null>>;
  readonly body?: string;
  /** Requests that came to the instances, mirrored ones and retries included. */
  readonly came?: Readonly<Record<string, number>>;
  readonly cameInAll?: number;
  /** Connections that carried them. */
  readonly connections?: number;
  /** Every answer took so long at least, ms. */
  readonly atLeastMs?: number;
}
