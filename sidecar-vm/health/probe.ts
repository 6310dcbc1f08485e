import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { type GrpcProbe, grpcProbe } from './probe-grpc.ts';
import { type ProbeTarget, probeSocket } from './probe-socket.ts';
import type { CheckResult } from './thresholds.ts';

const usualStatuses = [{ from: 200, to: 399 }];

export interface HttpProbe extends ProbeTarget {
  readonly kind: 'http';
  readonly path: string;
  /** The Host header; absent: as HTTP says. */
  readonly asHost?: string | undefined;
  /** Both ends pass. */
  readonly statuses?: readonly { readonly from: number; readonly to: number }[];
}

export type Probe =
  | HttpProbe
  | (ProbeTarget & { readonly kind: 'tcp' })
  | GrpcProbe
  /** Run without a shell; exit 0 is healthy. */
  | { readonly kind: 'exec'; readonly command: readonly [string, ...string[]] };

/** One check; never throws, never takes longer than `timeoutMs`, leaves nothing running. */
export async function runProbe(probe: Probe, timeoutMs: number): Promise<CheckResult> {
  switch (probe.kind) {
    case 'http':
      return httpProbe(probe, timeoutMs);
    case 'tcp':
      return tcpProbe(probe, timeoutMs);
    case 'grpc':
      return grpcProbe(probe, timeoutMs);
    case 'exec':
      return execProbe(probe.command, timeoutMs);
  }
}

function httpProbe(probe: HttpProbe, timeoutMs: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const call = request({
      host: probe.host,
      port: probe.port,
      path: probe.path,
      createConnection: () => probeSocket(probe),
      headers: { 'user-agent': 'isthmus-health/1', ...(probe.asHost === undefined ? {} : { host: probe.asHost }) },
    });
    const finish = (result: CheckResult) => {
      clearTimeout(timer);
      call.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => finish({ ok: false, reason: `GET ${probe.path}: no answer in ${timeoutMs} ms` }), timeoutMs);
    call.on('error', (error) => finish({ ok: false, reason: `GET ${probe.path}: ${error.message}` }));
    call.on('response', (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      finish({
        ok: (probe.statuses ?? usualStatuses).some(({ from, to }) => status >= from && status <= to),
        reason: `GET ${probe.path}: ${status}`,
      });
    });
    call.end();
  });
}

function tcpProbe(probe: ProbeTarget, timeoutMs: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = probeSocket(probe);
    const finish = (result: CheckResult) => {
      clearTimeout(timer);
      // After what it has to say, which is not out yet when it is connected.
      socket.destroySoon();
      resolve(result);
    };
    const timer = setTimeout(() => finish({ ok: false, reason: `connect ${probe.port}: no answer in ${timeoutMs} ms` }), timeoutMs);
    socket.on('error', (error) => finish({ ok: false, reason: `connect ${probe.port}: ${error.message}` }));
    socket.on('connect', () => finish({ ok: true, reason: `connect ${probe.port}: accepted` }));
  });
}

function execProbe(command: readonly [string, ...string[]], timeoutMs: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const [file, ...args] = command;
    // A group of its own, so that what the check starts ends with it.
    const child = spawn(file, args, { stdio: 'ignore', detached: true });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
    }, timeoutMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ ok: false, reason: `exec ${file}: ${error.message}` });
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      const reason = timedOut ? `no answer in ${timeoutMs} ms` : `exit ${code ?? signal}`;
      resolve({ ok: code === 0 && !timedOut, reason: `exec ${file}: ${reason}` });
    });
  });
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself a moment ago.
  }
}
