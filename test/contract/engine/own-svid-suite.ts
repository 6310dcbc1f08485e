import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import type { Svid } from '../../../core/identity/index.ts';
import { formatSpiffeId } from '../../../core/model/index.ts';
import type { SniRule } from '../../../gateway/engine/contract.ts';
import { readAll } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { allowAll, clusterName, EngineHarness, endpoint, type MakeEngine, sni } from './harness.ts';

const other = 'outbound_.80_._.stock.shop.mesh.internal';

/** Services that show an SVID of their own in place of the process's. */
export function ownSvidSuite(name: string, make: MakeEngine): void {
  describe(`engine ${name}: SVIDs of services`, () => {
    let harness: EngineHarness;
    afterEach(() => harness.close());

    const rule = (svid?: Svid): SniRule => {
      const end = { namespace: 'shop', service: 'stock' };
      return { mode: 'terminate', clusterName, protocol: 'tcp', authz: allowAll, end, ...(svid === undefined ? {} : { svid }) };
    };
    const targetOf = (svid: Svid) => ({ ...harness.target, sni: other, uriSans: [formatSpiffeId(svid.spiffeId)] });
    const start = async (): Promise<number> => {
      const { port } = await harness.sockets.serve((socket) => socket.pipe(socket));
      harness.endpoints(endpoint(port));
      return harness.listenSni();
    };
    const says = async (port: number, expected: Svid, as = harness.caller): Promise<string> => {
      try {
        const client = await harness.sockets.connectMtls(port, as, harness.bundle, { ...targetOf(expected) });
        const serial = client.getPeerX509Certificate()?.serialNumber.toLowerCase();
        client.end('ping');
        return `${(await readAll(client)).toString()} ${serial === expected.serial ? 'as expected' : `by ${serial}`}`;
      } catch {
        return 'refused';
      }
    };

    test('each service shows its own, and the rest what the process has', async () => {
      harness = new EngineHarness(make);
      const port = await start();
      const stock = harness.pki.svid('east', 'shop', 'stock');
      harness.apply({
        sni: new Map([
          [sni, rule()],
          [other, rule(stock)],
        ]),
      });
      assert.equal(await says(port, stock), 'ping as expected');
      assert.equal(await says(port, harness.server), 'refused');
      const client = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, harness.target);
      client.end('ping');
      assert.equal((await readAll(client)).toString(), 'ping');
      await until('reports', () => harness.reports.length === 3);
      harness.assertCarried();
    });

    test('a renewed one is shown to whoever comes next, and breaks nobody off', async () => {
      harness = new EngineHarness(make);
      const port = await start();
      const [before, after] = [harness.pki.svid('east', 'shop', 'stock'), harness.pki.svid('east', 'shop', 'stock')];
      harness.apply({ sni: new Map([[other, rule(before)]]) });
      const running = await harness.sockets.connectMtls(port, harness.caller, harness.bundle, targetOf(before));
      running.write('still ');
      await until('an echo', () => running.bytesRead > 0 && running.read() !== null);
      harness.apply({ sni: new Map([[other, rule(after)]]) });
      assert.equal(await says(port, after), 'ping as expected');
      running.end('here');
      assert.equal((await readAll(running)).toString(), 'here');
      harness.apply({ sni: new Map([[other, rule()]]) });
      assert.equal(await says(port, harness.server), 'ping as expected');
      harness.assertCarried();
    });

    test('callers are believed by the bundle of the moment, whichever SVID they are shown', async () => {
      harness = new EngineHarness(make);
      const port = await start();
      const stock = harness.pki.svid('east', 'shop', 'stock');
      harness.apply({ sni: new Map([[other, rule(stock)]]) });
      assert.equal(await says(port, stock), 'ping as expected');
      harness.apply({ trust: { ...harness.bundle, deniedSerials: [harness.caller.serial] } });
      assert.notEqual(await says(port, stock), 'ping as expected');
      assert.equal(await says(port, stock, harness.pki.svid('west', 'web', 'front')), 'ping as expected');
      harness.assertCarried();
    });
  });
}
