import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { NodeEngine } from '../../../gateway/engine/node/node-engine.ts';
import { guardMemory } from '../../../gateway/memory-guard.ts';
import { EngineHarness, endpoint, sni } from '../../contract/engine/harness.ts';
import { makeNative } from '../../contract/engine/make-native.ts';
import { type Brief, type Look, listenAt, passthroughTo } from './brief.ts';

// An engine alone in a process, the child of a test's, with which it ends.
process.once('disconnect', () => process.exit(0));
process.once('message', (message) => void serve(message as Brief));

async function serve({ engine, limits, ports, connectTimeoutMs, guarded = false }: Brief): Promise<void> {
  const make = engine === 'native' ? makeNative : (...args: ConstructorParameters<typeof NodeEngine>) => new NodeEngine(...args);
  const harness = new EngineHarness(make, limits);
  if (guarded) guardMemory(systemClock, silentLog, () => {}).guard(harness.engine);
  harness.apply(
    passthroughTo(
      ports.map((port) => endpoint(port)),
      connectTimeoutMs,
    ),
  );
  const [byName, plain] = [await listenAt(harness, 'sni'), await listenAt(harness, 'plain')];
  process.on('message', () => process.send?.(look(harness)));
  process.send?.({ sni: byName, plain, name: sni });
}

function look({ engine, reports, attempts, troubles }: EngineHarness): Look {
  const { open, accepted, ended } = engine.counters();
  const results = new Map<string, number>();
  for (const { endpoint: at, result } of attempts) results.set(`${at.port} ${result}`, (results.get(`${at.port} ${result}`) ?? 0) + 1);
  const last = new Map(reports.map(({ reason, detail, flags }) => [reason, { detail, flags }]));
  const { user, system } = process.cpuUsage();
  return {
    ...{
      open,
      accepted,
      ended: Object.fromEntries(ended),
      troubles,
      attempts: Object.fromEntries(results),
      cpuMs: (user + system) / 1_000,
    },
    reported: reports.reduce((sum, { count = 1 }) => sum + count, 0),
    last: Object.fromEntries(last),
  };
}
