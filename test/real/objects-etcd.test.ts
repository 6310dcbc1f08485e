import { after, before } from 'node:test';
import { openEtcdStore } from '../../control/store/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { objectsContract } from '../contract/objects/suite.ts';
import { type RunningEtcd, startEtcd } from './servers/etcd.ts';

let etcd: RunningEtcd;
let tests = 0;

before(async () => {
  etcd = await startEtcd();
});
after(() => etcd.stop());

objectsContract('etcd', async (t) => {
  const prefix = `objects-${++tests}/`;
  const open = () => openEtcdStore({ endpoints: [etcd.url], prefix, clock: systemClock, random: Math.random });
  const stores = [await open(), await open()] as const;
  t.after(() => Promise.all(stores.map((store) => store.close())));
  return stores;
});
