import { after, before, describe, test } from 'node:test';
import { Follower } from './follower.ts';
import type { RegistryCase, RegistryHarness } from './harness.ts';
import { outageCases } from './outage-cases.ts';
import { sourceCases } from './source-cases.ts';

/**
 * What every RegistrySource must do, against its fake and against its real server. `make` starts one server for the whole
 * suite; cases run one after another and leave it repaired.
 */
export function registryContract(name: string, make: () => Promise<RegistryHarness>): void {
  describe(`registry contract: ${name}`, () => {
    let harness: RegistryHarness;
    let cases = 0;
    before(async () => {
      harness = await make();
    });
    after(() => harness?.stop());
    const registryCase: RegistryCase = (what, run) =>
      test(what, async (t) => {
        cases += 1;
        const followers: Follower[] = [];
        const follow = () => {
          const follower = new Follower(harness.source());
          followers.push(follower);
          return follower;
        };
        const suffix = `c${cases}`;
        try {
          await run({ harness, follow, name: (text) => `${text}-${suffix}`, skip: (why) => t.skip(why) });
        } finally {
          await Promise.all(followers.map((f) => f.stop()));
        }
      });
    sourceCases(registryCase);
    outageCases(registryCase);
  });
}
