import assert from 'node:assert/strict';
import test from 'node:test';
import { driftText } from '../../../cli/text/drift-text.ts';
import { explainText } from '../../../cli/text/explain-text.ts';
import { mtlsText } from '../../../cli/text/mtls-text.ts';
import { statusText } from '../../../cli/text/status-text.ts';
import { age } from '../../../cli/text/table.ts';
import { FakeControlApi, sampleDrift, sampleMtls, sampleStatus } from '../../fakes/control-api.ts';
import { assertGoldenText } from '../../support/golden.ts';

test('status as text', async () => {
  await assertGoldenText('test/golden/cli/status.golden.txt', statusText(sampleStatus()));
});

test('status of an empty cluster, with a configuration that was refused', async () => {
  const empty = { services: [], sources: [], peers: [], gateways: [], clients: [], certificates: [], conflicts: [] };
  const findings = { errors: 0, warnings: 0, first: [] };
  await assertGoldenText(
    'test/golden/cli/status-empty.golden.txt',
    statusText({
      ...sampleStatus(),
      ...empty,
      findings,
      drift: { state: 'in-sync', differing: 0, unknown: 0, conflicts: 0 },
      configViolations: ['isthmus.yaml:4: spec.cluster: is required'],
    }),
  );
});

test('status as a caller with one namespace sees it', async () => {
  await assertGoldenText('test/golden/cli/status-partial.golden.txt', statusText({ ...sampleStatus(), partial: true }));
});

test('drift as text', async () => {
  await assertGoldenText('test/golden/cli/drift.golden.txt', driftText(sampleDrift()));
});

test('what services take, of all and of one', async () => {
  const { ports } = sampleMtls();
  await assertGoldenText('test/golden/cli/mtls.golden.txt', mtlsText({ ports }, false));
  await assertGoldenText('test/golden/cli/mtls-one.golden.txt', mtlsText({ ports: ports.slice(0, 1) }, true));
  await assertGoldenText('test/golden/cli/mtls-none.golden.txt', mtlsText({ ports: [] }, false));
});

test('explain as text', async () => {
  await assertGoldenText(
    'test/golden/cli/explain.golden.txt',
    explainText(await new FakeControlApi().explain('default/web', 'default/payments')),
  );
});

test('ages', async () => {
  const ages = [0, 949, 9_999, 10_000, 59_999, 60_000, 3_599_999, 3_600_000, 86_399_999, 90_000_000, null];
  assert.deepEqual(ages.map(age), ['0.0s', '0.9s', '10.0s', '10s', '59s', '1m00s', '59m59s', '1h00m', '23h59m', '1d01h', 'never']);
});
