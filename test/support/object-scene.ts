import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryDir } from './control-plane.ts';
import { onEnd } from './on-end.ts';
import { RealControl } from './real-control.ts';
import type { CliResult } from './run-cli.ts';

/** A policy for callers of one namespace. */
export function policy(name: string, from: string, namespace = 'shop'): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: ${name}
  namespace: ${namespace}
spec:
  action: DENY
  rules:
    - from:
        - source:
            namespaces: [${from}]
`;
}

/** A control plane that runs until the test ends; `more`: of its configuration files. */
export async function running(t: TestContext, more = ''): Promise<RealControl> {
  const control = await RealControl.make(await temporaryDir(t), 'east', more);
  onEnd(t, () => control.stop());
  await control.start();
  return control;
}

/** A file in its folder, outside the configuration. */
export async function written(control: RealControl, name: string, text: string): Promise<string> {
  const path = join(control.dir, name);
  await writeFile(path, text);
  return path;
}

/** What a command printed; it must have worked. */
export function json<T>(result: CliResult): T {
  assert.equal(result.code, 0, result.err);
  return JSON.parse(result.out) as T;
}
