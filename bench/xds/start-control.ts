import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Authority } from '../../control/ca/index.ts';
import { svidKeyPem } from '../../core/identity/index.ts';
import { controlServiceAccount, systemNamespace } from '../../core/model/index.ts';
import type { BenchSize } from '../bench-mesh.ts';
import { issue } from '../bench-pki.ts';
import type { XdsControlBrief, XdsControlOrder, XdsControlUnderTest, XdsControlUsage } from './contract.ts';

/** The argument with which main serves in place of measuring. */
export const xdsControlArgument = 'xds-control-process';

/** Until it serves 100,000 endpoints, on a busy machine. */
const patienceMs = 120_000;

/** A control plane in a process of its own; its SVID is the authority's. Resolves once it serves the whole mesh. */
export async function startXdsControl(authority: Authority, size: BenchSize): Promise<XdsControlUnderTest> {
  const [, main = ''] = process.argv;
  const child = fork(main, [xdsControlArgument], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  const answer = async (): Promise<unknown> => {
    const signal = AbortSignal.timeout(patienceMs);
    const late = () => Promise.reject(new Error(`the control plane under test has not answered in ${patienceMs} ms`));
    const first = await Promise.race([once(child, 'message', { signal }).catch(late), exited.then(() => undefined)]);
    if (first === undefined) throw new Error('the control plane under test ended before it answered');
    return first[0];
  };
  // One order at a time, so that answers need no numbers.
  let last: Promise<unknown> = Promise.resolve();
  const ask = (order: XdsControlOrder | XdsControlBrief): Promise<unknown> => {
    last = last.then(() => {
      const answered = answer();
      child.send(order);
      return answered;
    });
    return last;
  };
  const port = (await ask(briefOf(authority, size))) as number;
  return {
    port,
    change: () => ask('change') as Promise<number>,
    usage: () => ask('usage') as Promise<XdsControlUsage>,
    stop: async () => {
      if (child.connected) child.disconnect();
      const hung = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(hung);
    },
  };
}

function briefOf(authority: Authority, size: BenchSize): XdsControlBrief {
  const svid = issue(authority, systemNamespace, controlServiceAccount);
  const { roots, intermediates } = authority.bundle();
  const base64 = (der: Uint8Array) => Buffer.from(der).toString('base64');
  return {
    size,
    keyPem: svidKeyPem(svid),
    chain: svid.chainDer.map(base64),
    roots: roots.map(base64),
    intermediates: intermediates.map((each) => ({ cluster: each.cluster, certificate: base64(each.certificate) })),
  };
}
