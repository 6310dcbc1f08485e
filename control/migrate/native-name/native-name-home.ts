import type { Clock } from '../../../core/clock.ts';
import { MeshError, toMeshError } from '../../../core/errors.ts';
import { isAborted } from '../../../core/lifecycle.ts';
import type { Log } from '../../../core/log.ts';
import { type ServiceKey, serviceKey } from '../../../core/model/index.ts';
import type { NativeNames, SwitchedService } from '../../../core/registry/index.ts';
import type { MigrationState } from '../contract.ts';
import type { NativeNameSwitch } from '../run/index.ts';

/** A service that needs gateway ports, as its own name in a registry leads to them, or is to. */
export interface SwitchedName {
  readonly registry: string;
  readonly service: ServiceKey;
}

export interface NativeNameOptions {
  /** Who switches names in a registry of this cluster; a text: why nobody can. Undefined: there is no such registry. */
  readonly names: (registry: string) => NativeNames | string | undefined;
  /** The service with its gateway ports and the gateways of the registry's network; undefined: not known yet. */
  readonly service: (name: SwitchedName) => SwitchedService | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two looks at names that stay switched after their migration has ended, ms. */
const keepMs = 15_000;

/** The names of services that move, brought to what their migrations want, and kept so after they are done: gateways come and go. */
export class NativeNameHome implements NativeNameSwitch {
  readonly #options: NativeNameOptions;
  /** What was said of each, so that it is logged once. */
  readonly #problems = new Map<string, string>();

  constructor(options: NativeNameOptions) {
    this.#options = options;
  }

  async bring(state: MigrationState, wanted: 'original' | 'switched', signal: AbortSignal): Promise<'original' | 'switched'> {
    const { spec, namespace } = state;
    const { registry } = spec.nativeName ?? {};
    if (registry === undefined) return 'original';
    const names = this.#options.names(registry);
    const key = serviceKey(namespace, spec.service);
    if (wanted === 'original') {
      // What a registry that is gone from the configuration had, was taken back when it went.
      if (names === undefined || typeof names === 'string') return 'original';
      const result = await names.restore({ namespace, name: spec.service }, signal);
      this.#say(`${registry} ${key}`, result.problems);
      return result.state;
    }
    if (names === undefined) throw new MeshError('NOT_FOUND', `there is no Registry ${registry} here: restore it, or roll back`);
    if (typeof names === 'string') throw new MeshError('CONFIG_INVALID', `${registry}: ${names}`);
    const service = this.#options.service({ registry, service: key });
    if (service === undefined) {
      const message = `${key} has no gateway port yet: see isthmus status, and widen originate.portRange where none is left`;
      throw new MeshError('NOT_FOUND', message, { retryable: true });
    }
    const result = await names.switch(service, signal);
    this.#say(`${registry} ${key}`, result.problems);
    return result.state;
  }

  /** Keeps the names of migrations that are over and stay switched, until `signal` aborts. Every replica may: it is the same that each does. */
  async keep(states: () => readonly MigrationState[], signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      for (const state of states().filter(({ phase, nativeName }) => phase === 'done' && nativeName === 'switched')) {
        if (signal.aborted) return;
        await this.bring(state, 'switched', signal).catch((error: unknown) => {
          if (!isAborted(error))
            this.#say(`${state.spec.nativeName?.registry} ${state.namespace}/${state.spec.service}`, [toMeshError(error).message]);
        });
      }
      await clock.sleep(keepMs, signal).catch(() => undefined);
    }
  }

  #say(name: string, problems: readonly string[]): void {
    const text = problems.join('; ');
    if (text !== '' && this.#problems.get(name) !== text)
      this.#options.log.warn({ name, problems: text }, 'a native name is not as it should be');
    if (text === '') this.#problems.delete(name);
    else this.#problems.set(name, text);
  }
}

/** What needs gateway ports for these migrations: from their start, so that a port is there when its turn comes. Pure. */
export function switchedNames(states: readonly MigrationState[]): readonly SwitchedName[] {
  return states.flatMap(({ phase, nativeName, namespace, spec }) => {
    const idle = phase === 'reserved' || ((phase === 'aborted' || phase === 'rolled-back') && nativeName !== 'switched');
    if (spec.nativeName === undefined || nativeName === 'none' || idle) return [];
    return [{ registry: spec.nativeName.registry, service: serviceKey(namespace, spec.service) }];
  });
}
