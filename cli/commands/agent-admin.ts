import type { AgentStatus } from '../../sidecar-vm/main.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import type { Listen } from './vm-join-flags.ts';

const answerMs = 5_000;
const largestAnswer = 32 * 1024 * 1024;

/** What the agent of this machine says of itself. CliError PEER_UNREACHABLE. */
export async function askAgent({ address, port }: Listen, signal: AbortSignal): Promise<AgentStatus> {
  const host = address.includes(':') ? `[${address}]` : address;
  const timeout = AbortSignal.timeout(answerMs);
  try {
    const response = await fetch(`http://${host}:${port}/v1/agent`, { signal: timeout });
    const text = await response.text();
    if (response.status !== 200 || text.length > largestAnswer) throw new Error(`answered ${response.status}`);
    return JSON.parse(text) as AgentStatus;
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : String(error);
    const next = 'is it running (isthmus agent), and is --admin where it listens?';
    throw new CliError(exitCode.unreachable, 'PEER_UNREACHABLE', `no agent answers on ${host}:${port}: ${reason}`, next);
  }
}
