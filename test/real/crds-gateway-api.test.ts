import { testCrdContract } from './crds/contract.ts';

testCrdContract({
  sets: ['gateway-api', 'mcs-api'],
  groups: ['gateway.networking.k8s.io', 'multicluster.x-k8s.io'],
  right: ['test/samples/gateway-api', 'test/samples/corpus/gateway-api'],
  wrong: 'test/samples/wrong/gateway-api',
  bothRefuse: 30,
});
