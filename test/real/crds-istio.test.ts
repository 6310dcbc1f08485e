import { testCrdContract } from './crds/contract.ts';

testCrdContract({
  sets: ['istio'],
  groups: ['istio.io'],
  right: ['test/samples/istio', 'test/samples/corpus/istio'],
  wrong: 'test/samples/wrong/istio',
  bothRefuse: 20,
});
