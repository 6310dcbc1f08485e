import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { ensureOwnerOnlyDir } from '../../core/identity/index.ts';
import { runGroup } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { networkId } from '../../core/model/index.ts';
import { deepEqual } from '../../core/registry/index.ts';
import { formatViolation } from '../../core/validate.ts';
import { keepAuthority } from '../ca/index.ts';
import { openLiveConfig } from '../config/index.ts';
import type { RegisteredGateway } from '../registration/index.ts';
import { openStore } from '../store/index.ts';
import { createLogger } from '../telemetry/index.ts';
import { federatedOf, peersOf, registriesOf, trafficObjectsOf, workloadGroupsOf } from './config-objects.ts';
import { fileObjects } from './objects.ts';
import { buildParts, type ControlParts } from './parts.ts';
import { resolveHost } from './resolve-host.ts';

/** For webhooks that are still to be told. */
const eventGraceMs = 2_000;

export interface ControlOptions {
  /** Files and folders of isthmus.yaml objects. */
  readonly config: readonly string[];
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  /** Default: JSON lines on standard error, level info. */
  readonly log?: Log;
}

export interface RunningControl {
  readonly cluster: string;
  /** Ports that it listens on, whatever the configuration said. */
  readonly ports: { readonly grpc: number; readonly api: number; readonly health: number; readonly federation?: number };
  /** Reads the configuration again; the last good one stays when the new one is refused. */
  reload(): Promise<void>;
  /** Stops accepting, finishes what runs, and after `deadlineMs` forces the rest. Idempotent. */
  stop(deadlineMs: number): Promise<void>;
  /** Resolves after `stop`; rejects when a part of it failed for good. */
  readonly ended: Promise<void>;
}

/**
 * Builds one control plane out of its parts and starts it: what was persisted is served first, then it catches up. Rejects with
 * MeshError (CONFIG_INVALID, STORE_UNAVAILABLE, IDENTITY_INVALID, PORT_TAKEN, ...), and has then let go of everything.
 */
export async function startControl(options: ControlOptions): Promise<RunningControl> {
  const stop = new AbortController();
  const { clock, random } = options;
  const made: { log?: Log } = {};
  const onRefused = (violations: Parameters<typeof formatViolation>[0][]) =>
    made.log?.error({ violations: violations.map(formatViolation) }, 'the new configuration was refused; the last good one stays');
  const unread: string[] = [];
  const sayUnread = () => {
    if (unread.length > 0)
      made.log?.warn({ paths: unread.splice(0) }, 'not read: of folders of the configuration only .yaml, .yml and .json are');
  };
  const onLeftOut = (paths: readonly string[]) => {
    unread.push(...paths);
    sayUnread();
  };
  const config = await openLiveConfig({ paths: options.config, clock, onRefused: (v) => onRefused([...v]), onLeftOut }, stop.signal);
  const mesh = config.current.mesh.spec;
  const log = options.log ?? createLogger({ level: 'info', base: { cluster: mesh.cluster, part: 'control' } });
  made.log = log;
  sayUnread();
  try {
    await ensureOwnerOnlyDir(mesh.stateDir);
    const store = await openStore(mesh, clock, random);
    try {
      return await start(await buildParts({ config, store, clock, random, log, signal: stop.signal }), stop);
    } catch (error) {
      stop.abort();
      await store.close();
      throw error;
    }
  } catch (error) {
    stop.abort();
    throw error;
  }
}

async function start(parts: ControlParts, stop: AbortController): Promise<RunningControl> {
  const { config, sources, publishing, peers, catalog, services, objects, objectSources, admin, health, snapshots, mesh, log } = parts;
  const { signal } = stop;
  await sources.apply(registriesOf(config.current));
  await publishing.load();
  await peers.start(signal);
  await parts.federation.configure(federatedOf(config.current), signal);
  await objects.setFiles(fileObjects(config.current));
  await objects.load();
  // After the objects: without its group a workload would be less than it is known to be.
  sources.startVm({
    of: (name) => workloadGroupsOf(objects.set.current()).get(name),
    subscribe: (listener) => objects.set.subscribe(listener),
  });
  await objectSources.apply(registriesOf(config.current), signal);
  // Weights are part of the first snapshot.
  await parts.migrations.load();
  services.attestors.apply(objects.set.current());
  objects.set.subscribe(() => {
    services.attestors.apply(objects.set.current());
    parts.applyPolicies();
    peers.objectsChanged();
    snapshots.setTraffic();
  });
  const entries = {
    objects: () => trafficObjectsOf(objects.set.current()),
    subscribe: (listener: () => void) => objects.set.subscribe(listener),
    network: mesh.network,
    resolve: resolveHost,
  };
  sources.followEntries(entries, signal);
  parts.applyPolicies();
  await catalog.forgetUnconfigured();
  const ended = runTasks(parts, stop);
  // What runs on is awaited by stop(); a failure before that must not go unhandled.
  ended.catch(() => undefined);
  try {
    // Nothing is served before the first snapshot, which holds what was persisted.
    await Promise.race([snapshots.first, ended]);
    await services.front.start(signal);
    await admin.start();
    await health.start();
    await parts.federation.start();
  } catch (error) {
    stop.abort();
    await Promise.allSettled([ended, services.front.dispose(), admin.dispose(), health.dispose(), parts.federation.dispose()]);
    throw error;
  }
  const { port: federation } = parts.federation;
  const ports = {
    grpc: services.front.port,
    api: admin.address.port,
    health: health.address.port,
    ...(federation === undefined ? {} : { federation }),
  };
  log.info({ ports, stateDir: mesh.stateDir }, 'control plane is up');
  let stopped: Promise<void> | undefined;
  return {
    cluster: mesh.cluster,
    ports,
    ended,
    reload: () => config.reload(),
    stop: (deadlineMs) => {
      stopped ??= shutDown(parts, stop, ended, deadlineMs);
      return stopped;
    },
  };
}

/** Everything that runs for as long as the control plane does; a part that fails for good takes the rest with it. */
function runTasks(parts: ControlParts, stop: AbortController): Promise<void> {
  const { catalog, config, gateways, publishing, services, peers, sources, objects, objectSources, snapshots } = parts;
  const { identity, mesh, clock, log } = parts;
  return runGroup(stop.signal, [
    (signal) => gateways.run(signal),
    async (signal) => {
      // The gateways of this cluster are in the store: without them routes would vanish for a moment.
      for await (const list of gateways.gateways) {
        setGateways(parts, list);
        break;
      }
      await runGroup(signal, [(inner) => snapshots.follow(catalog, inner), (inner) => publishing.run(inner), () => followGateways(parts)]);
    },
    (signal) => peers.run(signal),
    (signal) => services.xds.run(signal),
    (signal) => objects.run(signal),
    (signal) => objectSources.run(signal),
    (signal) => parts.rotation.run(signal),
    (signal) => parts.jwt.run(signal),
    (signal) => parts.drift.run(signal),
    (signal) => parts.migrations.run(signal),
    (signal) => services.presence.keep(clock, log, signal),
    (signal) => services.liveness.run(signal),
    (signal) => services.reach.run(signal),
    (signal) => keepAuthority({ authority: identity.authority, ledger: services.ledger, store: parts.store, clock, log, signal }),
    async (signal) => {
      for await (const next of config.changes) {
        if (!deepEqual(next.mesh.spec, mesh)) log.warn({}, 'the Mesh has changed: that counts from the next start of this control plane');
        await sources.apply(registriesOf(next));
        await objectSources.change(registriesOf(next), signal);
        await publishing.refresh(signal);
        peers.configure(peersOf(next));
        parts.jwt.peersChanged();
        await parts.federation.configure(federatedOf(next), signal);
        await objects.setFiles(fileObjects(next));
        parts.applyPolicies();
      }
    },
  ]);
}

async function followGateways(parts: ControlParts): Promise<void> {
  for await (const list of parts.gateways.gateways) setGateways(parts, list);
}

function setGateways({ catalog }: ControlParts, list: readonly RegisteredGateway[]): void {
  const cluster = catalog.current().cluster;
  catalog.setGateways(
    cluster,
    list.map((g) => ({ ...g, network: networkId(g.network) })),
  );
}

async function shutDown(parts: ControlParts, stop: AbortController, ended: Promise<void>, deadlineMs: number): Promise<void> {
  const { services, admin, health, catalog, peers, audit, store, log } = parts;
  log.info({ deadlineMs }, 'control plane is shutting down');
  await health.drain();
  // Streams to clients end with UNAVAILABLE, so that they go to another replica, or on with what they have.
  stop.abort(new MeshError('ABORTED', 'shutting down'));
  await Promise.allSettled([services.front.drain(deadlineMs), admin.drain(deadlineMs)]);
  await Promise.allSettled([
    ended,
    peers.done,
    parts.federation.dispose(),
    parts.migrationEvents.close(eventGraceMs),
    services.attestors.close(),
  ]);
  await catalog.flush().catch((error: unknown) => log.error({ error }, 'the catalog could not be written at the end'));
  await health.dispose();
  await audit.close();
  await store.close();
  log.info({}, 'control plane has ended');
}
