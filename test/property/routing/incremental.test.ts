import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type CompiledCheck, createTrafficCompiler, type TrafficModel } from '../../../control/routing/index.ts';
import type { ServiceKey } from '../../../core/model/index.ts';
import { viewOf } from '../../support/catalog-view.ts';
import { after, aStep, firstState, ids, keysOf } from '../../support/traffic-history.ts';
import { hostSuffix } from '../../support/traffic-model.ts';

/** Finds fault with everything, so that whom it is blamed on is seen to depend on the inputs alone. */
const check: CompiledCheck = {
  routing: ({ virtualHosts, l4 }) => [
    ...[...virtualHosts.flatMap((host) => host.rules), ...l4].map(({ name }) => ({ rule: name, path: '', message: 'is a rule' })),
    { path: 'rules', message: 'are there' },
  ],
  traffic: () => [{ path: 'traffic', message: 'is there' }],
  listener: () => [{ path: 'ingress', message: 'is there' }],
};

function contentOf(model: TrafficModel): unknown {
  return {
    services: ids.map((id) => [id, model.service(id as ServiceKey)]),
    gateways: ids.map((id) => [id, model.gateways.get(id)]),
    findings: model.findings,
  };
}

test('whatever came before, a model says what one made of its inputs alone says, and tells what differs', () => {
  fc.assert(
    fc.property(fc.array(aStep, { minLength: 1, maxLength: 12 }), fc.boolean(), (steps, told) => {
      const compiler = createTrafficCompiler({ hostSuffix, check });
      let before: TrafficModel | undefined;
      let state = firstState;
      for (const [i, step] of steps.entries()) {
        const touched = i > 0 && told ? keysOf(step) : undefined;
        state = after(state, step);
        const inputs = [[...state.objects.values()], viewOf([...state.services.values()])] as const;
        const model = compiler.update(...inputs, touched);
        assert.deepEqual(contentOf(model), contentOf(createTrafficCompiler({ hostSuffix, check }).update(...inputs)));
        if (model !== before) {
          const different = ids.filter((id) => model.service(id as ServiceKey) !== before?.service(id as ServiceKey));
          assert.deepEqual([...model.changed.services].sort(), different.sort());
          const others = ids.filter((id) => model.gateways.get(id) !== before?.gateways.get(id));
          assert.deepEqual([...model.changed.gateways].sort(), others.sort());
        }
        for (const id of ids) {
          const [was, is] = [before?.service(id as ServiceKey), model.service(id as ServiceKey)];
          if (was !== is) assert.notDeepEqual(was, is, 'what says the same is the same object');
        }
        before = model;
      }
    }),
    { numRuns: 150 },
  );
});
