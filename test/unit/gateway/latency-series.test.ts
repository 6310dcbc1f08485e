import assert from 'node:assert/strict';
import test from 'node:test';
import { Registry } from 'prom-client';
import type { Latency } from '../../../gateway/engine/index.ts';
import { registerLatencies } from '../../../gateway/telemetry/index.ts';

const boundsMs = [1, 10];
const connect = (of: string, counts: readonly number[], sumMs: number): Latency => ({ step: 'connect', of, boundsMs, counts, sumMs });

test('what several engines of one process have seen is one histogram, read when somebody asks', async () => {
  const registry = new Registry();
  const first = [connect('a', [1, 2, 3], 60)];
  registerLatencies(registry, () => first);
  const leave = registerLatencies(registry, () => [connect('a', [4, 0, 0], 2), connect('b', [0, 1, 0], 5)]);
  first.push({ step: 'handshake', of: 'east-west', boundsMs, counts: [0, 0, 1], sumMs: 11 });
  const page = await registry.metrics();
  const lines = page.split('\n').filter((line) => line.startsWith('isthmus_'));
  assert.deepEqual(lines.sort(), [
    'isthmus_handshake_duration_milliseconds_bucket{le="+Inf",listener="east-west"} 1',
    'isthmus_handshake_duration_milliseconds_bucket{le="1",listener="east-west"} 0',
    'isthmus_handshake_duration_milliseconds_bucket{le="10",listener="east-west"} 0',
    'isthmus_handshake_duration_milliseconds_count{listener="east-west"} 1',
    'isthmus_handshake_duration_milliseconds_sum{listener="east-west"} 11',
    'isthmus_upstream_connect_duration_milliseconds_bucket{le="+Inf",cluster="a"} 10',
    'isthmus_upstream_connect_duration_milliseconds_bucket{le="+Inf",cluster="b"} 1',
    'isthmus_upstream_connect_duration_milliseconds_bucket{le="1",cluster="a"} 5',
    'isthmus_upstream_connect_duration_milliseconds_bucket{le="1",cluster="b"} 0',
    'isthmus_upstream_connect_duration_milliseconds_bucket{le="10",cluster="a"} 7',
    'isthmus_upstream_connect_duration_milliseconds_bucket{le="10",cluster="b"} 1',
    'isthmus_upstream_connect_duration_milliseconds_count{cluster="a"} 10',
    'isthmus_upstream_connect_duration_milliseconds_count{cluster="b"} 1',
    'isthmus_upstream_connect_duration_milliseconds_sum{cluster="a"} 62',
    'isthmus_upstream_connect_duration_milliseconds_sum{cluster="b"} 5',
  ]);
  leave();
  assert.doesNotMatch(await registry.metrics(), /cluster="b"/);
});
