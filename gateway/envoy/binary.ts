import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { MeshError } from '../../core/errors.ts';

export interface EnvoyBinary {
  readonly path: string;
  /** MAJOR.MINOR.PATCH */
  readonly version: string;
}

/** What the resources that a control plane sends are tested with. */
const oldest = { major: 1, minor: 40 };
const answerMs = 10_000;

/** The Envoy to run: `path`, or `envoy` of the search path. MeshError CONFIG_INVALID says what is missing or too old. */
export async function findEnvoy(path: string | undefined, searchPath: string): Promise<EnvoyBinary> {
  const found = path === undefined ? await search(searchPath) : resolve(path);
  if (found === undefined) {
    throw new MeshError('CONFIG_INVALID', 'no envoy in PATH: install Envoy 1.40 or newer, or say where it is with --envoy-path');
  }
  const text = await versionText(found);
  const [, version, major, minor] = /\/((\d+)\.(\d+)\.\d+)[^/]*\//.exec(text) ?? [];
  if (version === undefined) throw new MeshError('CONFIG_INVALID', `${found} --version does not answer as Envoy does: check --envoy-path`);
  if (Number(major) < oldest.major || (Number(major) === oldest.major && Number(minor) < oldest.minor)) {
    throw new MeshError('CONFIG_INVALID', `${found} is Envoy ${version}; ${oldest.major}.${oldest.minor} or newer is needed`);
  }
  return { path: found, version };
}

async function search(searchPath: string): Promise<string | undefined> {
  for (const dir of searchPath.split(delimiter).filter((each) => isAbsolute(each))) {
    const file = join(dir, 'envoy');
    if (
      await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return file;
  }
  return undefined;
}

function versionText(file: string): Promise<string> {
  return new Promise((done, fail) => {
    execFile(file, ['--version'], { timeout: answerMs, env: {}, maxBuffer: 64 * 1024 }, (error, stdout, stderr) => {
      if (error === null) return done(`${stdout}${stderr}`);
      fail(new MeshError('CONFIG_INVALID', `${file} cannot be run: ${error.message.split('\n')[0]}; check --envoy-path`, { cause: error }));
    });
  });
}
