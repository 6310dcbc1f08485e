import assert from 'node:assert/strict';
import test from 'node:test';
import { createLogger } from '../../../control/telemetry/index.ts';
import { MeshError } from '../../../core/errors.ts';

test('log lines are JSON with a cause, and hold no secret however it comes in', () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    level: 'info',
    base: { cluster: 'east' },
    destination: { write: (line: string) => void lines.push(JSON.parse(line)) },
  });
  const join = `isthmus-join-v1.${'s3cret'.repeat(8)}`;
  const cause = Object.assign(new Error(`dial with Bearer s3cret-bearer and ${join}`), { code: 'ECONNREFUSED' });
  log.info(
    {
      error: new MeshError('PEER_UNREACHABLE', 'peer west', { cause }),
      token: 's3cret',
      nested: [{ password: 's3cret', tokenFile: '/etc/token' }],
    },
    'dialling failed',
  );
  log.debug({}, 'not at this level');
  log.warn({ text: '-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----' }, 'key');
  assert.equal(lines.length, 2);
  assert.ok(!JSON.stringify(lines).includes('s3cret'));
  const [first] = lines;
  assert.equal(first?.['level'], 'info');
  assert.equal(first?.['cluster'], 'east');
  assert.deepEqual(first?.['nested'], [{ password: '[redacted]', tokenFile: '/etc/token' }]);
  assert.deepEqual(first?.['error'], {
    message: 'peer west',
    code: 'PEER_UNREACHABLE',
    cause: { message: 'dial with [redacted] and [redacted]', code: 'ECONNREFUSED' },
  });
});
