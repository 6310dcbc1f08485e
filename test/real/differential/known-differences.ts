import type { Difference } from './differences.ts';

/** In the order of docs/envoy-differences.md, which has the same reasons, word for word. */
export const knownDifferences: readonly Difference[] = [
  {
    cases: ['x-forwarded-for of a caller on the same machine'],
    reason: "Envoy writes a loopback caller as an address of the machine's network interface; ours writes the address that it saw.",
  },
  {
    cases: ['x-forwarded-proto of a caller on the same machine'],
    reason: 'Envoy adds x-forwarded-proto, which says how the last hop was made; ours sends none.',
  },
  {
    cases: ['OPTIONS without a body'],
    reason:
      'Envoy states a length of 0 for an OPTIONS request without a body; ours only for methods that usually have one (RFC 9110 §8.6).',
  },
  {
    cases: ['headers of one hop end there'],
    reason: 'Envoy passes headers on that the Connection header of an answer names; ours drops them (RFC 9110 §7.6.1).',
  },
  {
    cases: ['target *'],
    reason: 'No route of Envoy matches the target of OPTIONS *, so it answers 404; ours forwards it.',
  },
  {
    cases: [
      'request with two hosts',
      'request with a folded header',
      'request with lines that end in LF alone',
      'request with a chunk longer than it says',
    ],
    reason:
      "Envoy's parser takes these and sends a well-formed request on; ours answers 400, because what two hops may read differently must not pass.",
  },
  {
    cases: ['request with HTTP/3.0 in the first line', 'request with CONNECT'],
    reason: 'Refused by both, with other words: Envoy answers 426 and 404, ours 400 and 405.',
  },
  {
    cases: ['an HTTP/1.0 caller'],
    reason: 'Envoy answers an HTTP/1.0 caller in HTTP/1.0, ours in HTTP/1.1 (both as RFC 9110 §6.2 has it).',
  },
  {
    cases: ['target /a?b?c#d'],
    reason: 'Both answer 400 to a target with a fragment; only ours says why in the body.',
  },
  {
    cases: ['request with 80 KB of headers'],
    mayAgree: true,
    reason:
      'Both answer 431. Envoy then resets the connection, with what it has not read; ours reads the rest, so that the answer is not lost.',
  },
  {
    cases: [
      'gateways: the app ends the connection instead of answering a GET',
      'gateways: the app resets the connection instead of answering a GET',
    ],
    reason:
      'Both try an idempotent request up to three times and then answer 503. Envoy does so at each of the two gateways, ours at one of them.',
  },
  {
    cases: ['down: a request'],
    reason: 'The same 503. Envoy says in its body that it has tried again.',
  },
  {
    cases: ['WebSocket: the caller ends its side, the app answers and ends', 'WebSocket: the app resets'],
    reason:
      'Envoy closes both directions of an upgraded connection when one ends, and passes a break on as an end; ours passes each on as it is.',
  },
  {
    cases: ['the server ends before anybody has said anything'],
    reason:
      'A byte stream that a server ends before either side has said anything is ended by Envoy; ours tries another endpoint, and resets it when there is none.',
  },
  {
    cases: ['the server resets before anybody has said anything'],
    mayAgree: true,
    reason:
      'When a server resets a byte stream before anything was said, Envoy passes that on as a reset or as an end, whichever its sockets report first; ours always resets.',
  },
  {
    cases: ['HTTP/2: the app sees that the caller resets a stream'],
    reason:
      'Envoy gives a stream upstream up with INTERNAL_ERROR when its caller has reset it; ours with CANCEL, which says what happened (RFC 9113 §7).',
  },
  {
    cases: ['sidecar of web', 'gateway for open', 'gateway for hidden'].flatMap((door) =>
      ['no DNS SAN', 'two DNS SANs', 'no URI SAN', 'two URI SANs', 'a URI SAN of another trust domain'].map((who) => `${door}: ${who}`),
    ),
    reason:
      'Refused by both. The certificate chains to the root, and only its names are wrong: Envoy judges names after the handshake and answers HTTP with 403; ours ends the connection in the handshake.',
  },
];
