import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { CheckResult } from './thresholds.ts';

export type Probe =
  | { readonly kind: 'http'; readonly host: string; readonly port: number; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** Run without a shell; exit 0 is healthy. */
  | { readonly kind: 'exec'; readonly command: readonly [string, ...string[]] };

/** One check; never throws, never takes longer than `timeoutMs`, leaves nothing running. */
export async function runProbe(probe: Probe, timeoutMs: number): Promise<CheckResult> {
  switch (probe.kind) {
    case 'http':
      return httpProbe(probe, timeoutMs);
    case 'tcp':
      return tcpProbe(probe, timeoutMs);
    case 'exec':
      return execProbe(probe.command, timeoutMs);
  }
}

function httpProbe(probe: { host: string; port: number; path: string }, timeoutMs: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const call = request({
      host: probe.host,
      port: probe.port,
      path: probe.path,
      agent: false,
      headers: { 'user-agent': 'isthmus-health/1' },
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
      finish({ ok: status >= 200 && status < 400, reason: `GET ${probe.path}: ${status}` });
    });
    call.end();
  });
}

function tcpProbe(probe: { host: string; port: number }, timeoutMs: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect(probe.port, probe.host);
    const finish = (result: CheckResult) => {
      clearTimeout(timer);
      socket.destroy();
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
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
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
