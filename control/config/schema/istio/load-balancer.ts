import { z } from 'zod';
import type { LocalityPolicy } from '../../../../core/config/index.ts';
import type { HashKey, LoadBalancer, Warmup } from '../../../../core/traffic/index.ts';
import { didYouMean, fields } from '../../../../core/yaml/index.ts';
import { across, oneFieldOf, present } from '../across.ts';
import { later, noted, refused } from '../refused.ts';
import { locality } from './locality.ts';
import { duration, durationOrZero } from './values.ts';

const cookie = fields({
  name: z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { error: 'is not the name of a cookie' }),
  path: z
    .string()
    .regex(/^[ -:<-~]*$/, { error: 'must be visible ASCII and blanks, without semicolons' })
    .default(''),
  ttl: noted(durationOrZero, 'absent: proxies never set the cookie; 0s: for the session').optional(),
  attributes: later('attributes of cookies that proxies set'),
});

const prime = z.int().superRefine((size, ctx) => {
  if (size < 2 || size > 5_000_011) ctx.addIssue({ code: 'custom', message: 'must be a prime up to 5000011, the default is 65537' });
  else if (!isPrime(size)) ctx.addIssue({ code: 'custom', message: `must be a prime; ${nextPrime(size)} is the next one` });
});

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
}

function nextPrime(n: number): number {
  return isPrime(n) ? n : nextPrime(n + 1);
}

const ringSize = z.int().min(1).max(8_388_608);
const keys = ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'] as const;

const consistentHash = oneFieldOf(
  oneFieldOf(
    fields({
      httpHeaderName: z
        .string()
        .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { error: 'is not a header name' })
        .optional(),
      httpCookie: cookie.optional(),
      useSourceIp: z.literal(true, { error: 'must be true; leave it out otherwise' }).optional(),
      httpQueryParameterName: z.string().min(1).optional(),
      ringHash: fields({ minimumRingSize: ringSize.default(1024) }).optional(),
      maglev: fields({ tableSize: prime.default(65_537) }).optional(),
      minimumRingSize: noted(ringSize, 'deprecated: ringHash.minimumRingSize').optional(),
    }),
    keys,
  ),
  ['ringHash', 'maglev', 'minimumRingSize'],
  0,
);

const simple = ['UNSPECIFIED', 'ROUND_ROBIN', 'LEAST_REQUEST', 'LEAST_CONN', 'RANDOM'] as const;

const simpleBalancer = z.string().transform((text, ctx) => {
  const known = simple.find((each) => each === text);
  if (known !== undefined) return known;
  const passthrough = 'PASSTHROUGH is not supported: callers dial a mesh address, and which endpoint was meant is not known';
  const message =
    text === 'PASSTHROUGH'
      ? passthrough
      : `${JSON.stringify(text.slice(0, 40))} is none of ${simple.join(', ')}${didYouMean(text, simple)}`;
  ctx.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const warmup = fields({
  duration,
  minimumPercent: z.number().min(0).max(100).default(10),
  aggression: z.number().min(1, { error: 'must be at least 1, which is linear' }).default(1),
});

/** Istio's LoadBalancerSettings. */
export const loadBalancer = across(
  oneFieldOf(
    oneFieldOf(
      fields({
        simple: noted(simpleBalancer, 'LEAST_CONN is LEAST_REQUEST; PASSTHROUGH is refused').optional(),
        consistentHash: consistentHash.optional(),
        warmup: warmup.optional(),
        warmupDurationSecs: noted(duration, 'deprecated: warmup.duration').optional(),
        localityLbSetting: locality.optional(),
        zoneAwareLbSetting: refused('endpoints of the own zone come first by themselves: see localityLbSetting'),
      }),
      ['simple', 'consistentHash'],
      0,
    ),
    ['warmup', 'warmupDurationSecs'],
    0,
  ),
  (value, report) => {
    for (const field of present(value, ['warmup', 'warmupDurationSecs'])) {
      if (value['consistentHash'] !== undefined || value['simple'] === 'RANDOM') {
        report([field], 'means nothing here: only ROUND_ROBIN and LEAST_REQUEST warm up');
      }
    }
  },
);

type Written = z.output<typeof loadBalancer>;

/** Undefined: nothing was said of how endpoints are chosen. */
export function toLoadBalancer(written: Written): LoadBalancer | undefined {
  const { simple: said, consistentHash: hash } = written;
  if (hash !== undefined) return { type: 'hash', on: hashKey(hash), table: tableOf(hash) };
  const warm = toWarmup(written);
  if (said === 'RANDOM') return { type: 'random' };
  const type = said === 'ROUND_ROBIN' ? 'round-robin' : 'least-request';
  if ((said === undefined || said === 'UNSPECIFIED') && warm === undefined) return undefined;
  return { type, ...(warm === undefined ? {} : { warmup: warm }) };
}

function toWarmup({ warmup: said, warmupDurationSecs }: Written): Warmup | undefined {
  if (said !== undefined) return { durationMs: said.duration, minPercent: said.minimumPercent, aggression: said.aggression };
  return warmupDurationSecs === undefined ? undefined : { durationMs: warmupDurationSecs, minPercent: 10, aggression: 1 };
}

type Hash = z.output<typeof consistentHash>;

function hashKey({ httpHeaderName, httpCookie, httpQueryParameterName }: Hash): HashKey {
  if (httpHeaderName !== undefined) return { type: 'header', name: httpHeaderName.toLowerCase() };
  if (httpQueryParameterName !== undefined) return { type: 'query', name: httpQueryParameterName };
  if (httpCookie === undefined) return { type: 'source-address' };
  const { name, path, ttl } = httpCookie;
  return { type: 'cookie', name, path, ...(ttl === undefined ? {} : { ttlMs: ttl }) };
}

function tableOf({ maglev, ringHash, minimumRingSize }: Hash) {
  if (maglev !== undefined) return { type: 'maglev' as const, tableSize: maglev.tableSize };
  return { type: 'ring' as const, minimumRingSize: ringHash?.minimumRingSize ?? minimumRingSize ?? 1024 };
}

export function toLocality(written: Written): LocalityPolicy | undefined {
  const said = written.localityLbSetting;
  if (said === undefined) return undefined;
  const { enabled, distribute, failover, failoverPriority } = said;
  return { enabled, distribute, failover, failoverPriority };
}
