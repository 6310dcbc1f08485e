import assert from 'node:assert/strict';
import test from 'node:test';
import { Histogram, Registry } from 'prom-client';
import { RequestSeries } from '../../../gateway/telemetry/request-series.ts';

const buckets = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];

test('what was counted here reads as if prom-client had been told of each request', async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const series = new RequestSeries(ours, ['service', 'response_code']);
  const [name, help] = ['istio_request_duration_milliseconds', 'From the first header to the last byte of the answer'];
  const told = new Histogram({ name, help, labelNames: ['service', 'response_code'], buckets, registers: [theirs] });
  let asked = 0;
  for (const [durationMs, code] of [
    [0.5, '200'],
    [0.6, '200'],
    [60_000, '200'],
    [60_001, '503'],
    [0, '503'],
  ] as const) {
    const labels = { service: 'a "quoted" one', response_code: code };
    told.observe(labels, durationMs);
    series.record(code, { durationMs, bytesReceived: 0, bytesSent: 2_000 }, () => {
      asked += 1;
      return labels;
    });
  }
  assert.equal(asked, 2);
  const linesOf = (text: string) => text.trim().split('\n').sort();
  const page = await ours.metrics();
  assert.deepEqual(linesOf(await ours.getSingleMetricAsString(name)), linesOf(await theirs.getSingleMetricAsString(name)));
  assert.match(page, /^istio_requests_total\{service="a \\"quoted\\" one",response_code="200"\} 3$/m);
  assert.match(page, /^istio_response_bytes_bucket\{le="8192".*response_code="503"\} 2$/m);
  assert.equal((await ours.getMetricsAsJSON()).length, 4);
});
