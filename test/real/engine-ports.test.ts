import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines } from '../support/engine-faults/brief.ts';
import { inOwnNetwork } from './engine-faults/in-namespace.ts';

const first = 40_000;
const ports = 60;

for (const engine of engines) {
  test(`engine ${engine}: without local ports it refuses new callers, says why, blames no endpoint, takes another one, and recovers`, async () => {
    const range = { 'ipv4/ip_local_port_range': `${first} ${first + ports - 1}` };
    assert.match(await inOwnNetwork('./few-ports.js', [String(ports), engine], range, 60_000), /^\d+ of 120\n$/);
  });
}
