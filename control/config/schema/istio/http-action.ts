import { z } from 'zod';
import type {
  DestinationRef,
  DirectResponse,
  Mirror,
  RedirectAction,
  Rewrite,
  WeightedDestination,
} from '../../../../core/traffic/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, listOf, oneFieldOf, present } from '../across.ts';
import { noted } from '../refused.ts';
import { headers, toHeaders } from './http-headers.ts';
import { authority, inPath, pathText, substitutionFault, unsaid } from './http-text.ts';
import { regex } from './string-match.ts';
import { type Destination, destination, portNumber } from './values.ts';

/** Istio's Destination, as it was written; what may be left out is found when compiling. */
export function toDestination({ host, subset, port }: Destination): DestinationRef {
  return { host, ...(port === undefined ? {} : { port: port.number }), ...(subset === undefined ? {} : { subset }) };
}

const weight = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

export const httpDestination = fields({ destination, weight: weight.optional(), headers: headers.optional() });
export const l4Destination = fields({ destination, weight: weight.optional() });

/** What one Envoy takes, and our proxy as well. */
const mostWeight = 2 ** 32 - 1;

/** Of several destinations at least one must get something; of one the weight means nothing. */
export function checkWeights(destinations: unknown, report: (message: string) => void): void {
  const list = listOf(destinations);
  const weights = list.map((each) => (each as { weight?: unknown } | null)?.weight ?? 0);
  if (list.length > 1 && weights.every((each) => each === 0)) report('holds no weight over 0: nobody would get anything');
  const total = weights.reduce<number>((sum, each) => sum + (typeof each === 'number' ? each : 0), 0);
  if (total > mostWeight) report(`holds weights of ${total} in all: they must not sum to more than ${mostWeight}`);
}

export function toWeighted(written: z.output<typeof httpDestination>): WeightedDestination<DestinationRef> {
  return { destination: toDestination(written.destination), weight: written.weight ?? 0, ...toHeaders(written.headers) };
}

const statuses = [301, 302, 303, 307, 308] as const;

/** Istio's HTTPRedirect. */
export const redirect = across(
  oneFieldOf(
    oneFieldOf(
      fields({
        uri: pathText('must be a path; the host has its own field, authority').optional(),
        prefixRewrite: pathText('must be a path').optional(),
        authority: authority.optional(),
        scheme: oneOf('http', 'https').optional(),
        port: portNumber.optional(),
        derivePort: noted(
          oneOf('FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT'),
          'FROM_PROTOCOL_DEFAULT together with scheme; FROM_REQUEST_PORT is refused: write port',
        ).optional(),
        redirectCode: z
          .int()
          .refine((code) => statuses.some((each) => each === code), { error: `must be one of ${statuses.join(', ')}` })
          .default(301),
      }),
      ['port', 'derivePort'],
      0,
    ),
    ['uri', 'prefixRewrite'],
    0,
  ),
  (value, report) => {
    if (value['derivePort'] === 'FROM_REQUEST_PORT') report(['derivePort'], 'FROM_REQUEST_PORT is not supported: write port');
    if (value['derivePort'] === 'FROM_PROTOCOL_DEFAULT' && value['scheme'] === undefined) report(['derivePort'], 'needs scheme');
    if (present(value, ['uri', 'prefixRewrite', 'authority', 'scheme', 'port', 'derivePort']).length === 0) {
      report([], 'must change something: uri, prefixRewrite, authority, scheme or port; else it leads to itself');
    }
  },
);

export function toRedirect(written: z.output<typeof redirect>): RedirectAction {
  const { scheme, authority, uri, prefixRewrite, redirectCode } = written;
  const port = written.port ?? (written.derivePort === undefined ? undefined : scheme === 'https' ? 443 : 80);
  return {
    type: 'redirect',
    ...(scheme === undefined ? {} : { scheme }),
    ...(authority === undefined ? {} : { authority }),
    ...(port === undefined ? {} : { port }),
    ...(uri === undefined ? {} : { path: { type: 'full', value: uri } }),
    ...(prefixRewrite === undefined ? {} : { path: { type: 'prefix', value: prefixRewrite } }),
    status: redirectCode as RedirectAction['status'],
  };
}

const maxBody = 1024 * 1024;

const bytes = z.base64({ error: 'must be bytes in base64' }).max((maxBody * 4) / 3, { error: 'is larger than 1 MiB' });
const body = oneFieldOf(
  fields({ string: z.string().max(maxBody, { error: 'is larger than 1 MiB' }).optional(), bytes: bytes.optional() }),
  ['string', 'bytes'],
);

/** RFC 9110 §15.3.5, §15.3.6, §15.4.5. */
const bodiless = [204, 205, 304];

/** Istio's HTTPDirectResponse. */
export const directResponse = across(fields({ status: z.int().min(200).max(599), body: body.optional() }), (value, report) => {
  const { status } = value;
  if (bodiless.some((each) => each === status) && present(value, ['body']).length > 0)
    report(['body'], `an answer of ${String(status)} has no body`);
});

export function toDirect({ status, body: written }: z.output<typeof directResponse>): DirectResponse {
  if (written === undefined) return { type: 'direct', status };
  const encoded = written.bytes === undefined ? Buffer.from(written.string ?? '') : Buffer.from(written.bytes, 'base64');
  return { type: 'direct', status, body: new Uint8Array(encoded) };
}

const regexRewrite = across(
  fields({ match: regex, rewrite: z.string().regex(inPath, { error: unsaid }) }),
  ({ match, rewrite: substitution }, report) => {
    if (typeof match !== 'string' || typeof substitution !== 'string') return;
    const fault = substitutionFault(match, substitution);
    if (fault !== undefined) report(['rewrite'], fault);
  },
);

/** Istio's HTTPRewrite. */
export const rewrite = across(
  oneFieldOf(
    fields({
      uri: pathText('must be a path').optional(),
      authority: authority.optional(),
      uriRegexRewrite: regexRewrite.optional(),
    }),
    ['uri', 'uriRegexRewrite'],
    0,
  ),
  (value, report) => {
    if (present(value, ['uri', 'authority', 'uriRegexRewrite']).length === 0) report([], 'must hold uri, uriRegexRewrite or authority');
  },
);

export function toRewrite({ uri, authority, uriRegexRewrite }: z.output<typeof rewrite>): Rewrite {
  const regexPath = uriRegexRewrite && { type: 'regex' as const, pattern: uriRegexRewrite.match, substitution: uriRegexRewrite.rewrite };
  const path = uri === undefined ? regexPath : { type: 'prefix' as const, value: uri };
  return { ...(authority === undefined ? {} : { authority }), ...(path === undefined ? {} : { path }) };
}

export function toMirror(to: Destination, percent: number): Mirror<DestinationRef> {
  return { destination: toDestination(to), percent };
}
