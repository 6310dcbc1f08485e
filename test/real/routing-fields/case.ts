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
  /** It is in another namespace: `$NS-apart`. */
  readonly apart?: true;
  /** A ServiceEntry of its name is the service, and says where its instances are: `$PORT(INSTANCE)` in it is an instance's port. */
  readonly entry?: true;
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
  /** Connections to it are never taken, nor refused. */
  readonly blackHole?: true;
  /** It ends TLS itself, as `$CERTS/server.crt` has it: DNS name `backend.example.com`. */
  readonly tls?: true;
  /** Like an application with a sidecar: it ends the mesh's mTLS as this service account of its namespace. */
  readonly serviceAccount?: string;
  /** Where that is not what its port's protocol says. */
  readonly speaks?: 'http2';
  /** It is not there until a step says that it joins. */
  readonly late?: true;
}

export interface Step {
  /** Only when the proxies have known the services for so many seconds. */
  readonly agedS?: number;
  /** Instances that come now, and are known to the proxies before anything is asked. */
  readonly joins?: readonly string[];
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
  /** Ends the connection instead of answering; of HTTP/2 the stream. */
  readonly reset?: true;
  /** HTTP/2: the stream is refused. */
  readonly refuse?: true;
  readonly trailers?: Readonly<Record<string, string>>;
  /** Of answers to gRPC calls; default 0. */
  readonly grpcStatus?: number;
  /** Of gRPC: it is all in the headers. */
  readonly trailersOnly?: true;
  /** It ends WebSockets itself when it has heard something. */
  readonly hangsUp?: true;
  /** Connections of bytes stay open after the answer. */
  readonly hold?: true;
  /** Only so many requests; then it is well. */
  readonly first?: number;
  /** What /healthz is answered, which is neither counted nor changed by the rest. Default 200. */
  readonly health?: number;
  /** Services that grpc.health.v1 calls not serving. */
  readonly unhealthyFor?: readonly string[];
}

export interface Ask {
  /** Default: the first service, its first port. */
  readonly service?: string;
  readonly port?: number;
  readonly method?: string;
  readonly path?: string;
  /** Several values: a line for each. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Of this header each call has a value of its own, or of this query parameter where it begins with `?`. */
  readonly vary?: string;
  /** Cookies that answers set are sent with the calls after. */
  readonly keepCookies?: true;
  /** Source address, of 127.0.0.0/8. */
  readonly from?: string;
  /** HTTP/2, or gRPC over it, instead of HTTP/1.1. */
  readonly over?: 'http2' | 'grpc';
  readonly webSocket?: true;
  /** Of HTTP/1.1: so long a body. */
  readonly bodyBytes?: number;
  /** Bytes instead of HTTP; `sni`: over TLS. */
  readonly dial?: { readonly sni?: string };
  /** Instead of a service: a port of an ingress gateway, which is `$GATE(NAME)` in the config. */
  readonly gate?: string;
  /** HTTP over TLS, as people outside the mesh do it. */
  readonly tls?: TlsAsk;
}

export interface TlsAsk {
  readonly sni?: string;
  /** Of the certificates, what the caller shows. */
  readonly client?: 'client' | 'outsider';
  readonly maxVersion?: 'TLSv1.2';
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
  /** Of the answers, in percent, of who has most of them, then second most and so on; within what chance allows. */
  readonly ranked?: readonly number[];
  /** Of calls that the step before made too, so many percent at most are answered by another instance now that was there before. */
  readonly strayed?: number;
  /** What the backend saw of every request. */
  readonly saw?: {
    readonly path?: string;
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string | null>>;
    readonly httpVersion?: string;
    /** Of its TLS: the server name, what was agreed on, and the names in the caller's certificate. */
    readonly tls?: { readonly sni?: string; readonly alpn?: string; readonly client?: string };
  };
  /** The name in the certificate that callers were shown, and the version of TLS that was agreed on. */
  readonly shown?: { readonly certificate?: string; readonly version?: string };
  /** Headers of every answer; null: not there. */
  readonly told?: Readonly<Record<string, string | null>>;
  readonly trailers?: Readonly<Record<string, string | null>>;
  readonly body?: string;
  /** Requests that came to the instances, mirrored ones and retries included. */
  readonly came?: Readonly<Record<string, number>>;
  readonly cameInAll?: number;
  /** By instance: how many, at least and at most. */
  readonly between?: Readonly<Record<string, readonly [least: number, most: number]>>;
  /** Connections that carried them. */
  readonly connections?: number;
  /** Every answer took so long at least, ms. */
  readonly atLeastMs?: number;
  /** So long on average, ms. */
  readonly meanAtLeastMs?: number;
  /** Afterwards the proxy closes all its connections to the instances, of itself. */
  readonly closes?: true;
  /** The kernel will ask, after so many seconds at most and half of them at least, whether the other end of the connections is there. */
  readonly keepaliveS?: number;
}
