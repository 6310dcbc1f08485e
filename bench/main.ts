import { writeFile } from 'node:fs/promises';
import { formatViolation } from '../core/validate.ts';
import type { BenchCase, BenchRun } from './bench-case.ts';
import { serveCaControl } from './ca/control-process.ts';
import { caControlArgument } from './ca/start-control.ts';
import { benchCases } from './cases/index.ts';
import { serveGateway } from './data-plane/gateway-process.ts';
import { gatewayProcessArgument } from './data-plane/start-gateway.ts';
import { engineProcessArgument } from './engines/engine-brief.ts';
import { serveEngine } from './engines/engine-process.ts';
import { type BenchOptions, isChosen, parseBenchOptions } from './options.ts';
import { type ChartPanel, plotOf } from './plot.ts';
import { type CaseReport, formatJson, formatTable, machineLine } from './report.ts';
import { routingProxyArgument, serveRoutingProxy } from './routing/proxy-process.ts';
import { serveXdsControl } from './xds/control-process.ts';
import { fullLoadArgument, serveFullLoad } from './xds/full-load.ts';
import { xdsControlArgument } from './xds/start-control.ts';

const help = `Measures what Isthmus costs, beside a peer in the same run where there is one.

npm run bench -- [--quick] [--only NAME]... [--json FILE] [--plot FILE]

  --quick       short rounds; figures are rougher
  --only NAME   this case alone, or those whose names begin with NAME-; may be given again
  --json FILE   writes {machine, cases} there, too
  --plot FILE   draws the cases that have panels (engines) there, as SVG
  --help        this

Cases:
${benchCases.map(({ name, about }) => `  ${name.padEnd(20)} ${about}`).join('\n')}

Examples:
  npm run bench -- --quick
  npm run bench -- --only sign --only verify
  npm run bench -- --json bench.json
  ISTHMUS_ENVOY=/usr/local/bin/envoy npm run bench -- --only gateway-http
`;

async function main(args: readonly string[]): Promise<number> {
  const names = benchCases.map((each) => each.name);
  const parsed = parseBenchOptions(args, names);
  if (!parsed.ok) {
    process.stderr.write(`${parsed.violations.map(formatViolation).join('\n')}\nSee npm run bench -- --help\n`);
    return 2;
  }
  const options = parsed.value;
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const chosen = benchCases.filter(({ name }) => options.only.length === 0 || options.only.some((only) => isChosen(name, only)));
  return (await measure(chosen, options)) ? 0 : 1;
}

/** False: a case could not be measured; the others are in the report. */
async function measure(chosen: readonly BenchCase[], options: BenchOptions): Promise<boolean> {
  const notes: string[] = [];
  const note = (text: string) => void (notes.includes(text) || notes.push(text));
  const panels: ChartPanel[] = [];
  const said = { quick: options.quick, note, chart: (panel: ChartPanel) => void panels.push(panel) };
  const bench: BenchRun = options.quick ? { rounds: 5, roundMs: 200, ...said } : { rounds: 7, roundMs: 1_000, ...said };
  const cases: CaseReport[] = [];
  const failed: string[] = [];
  for (const each of chosen) {
    process.stderr.write(`${each.name}: ${each.about}\n`);
    try {
      cases.push(...(await each.run(bench)));
    } catch (error) {
      failed.push(each.name);
      process.stderr.write(`${each.name} was not measured: ${(error as Error).message}\n`);
    }
  }
  const report = { machine: machineLine(), cases };
  process.stdout.write(`${[formatTable(report), ...notes].join('\n')}\n`);
  if (options.json !== undefined) await writeFile(options.json, formatJson(report));
  if (options.plot !== undefined) await writeFile(options.plot, plotOf(panels, report.machine));
  return failed.length === 0;
}

// A goal that is not met is in the report; only what cannot be measured is a failure.
const [, , ...given] = process.argv;
if (given[0] === gatewayProcessArgument) await serveGateway();
else if (given[0] === engineProcessArgument) await serveEngine();
else if (given[0] === routingProxyArgument) await serveRoutingProxy();
else if (given[0] === xdsControlArgument) await serveXdsControl();
else if (given[0] === fullLoadArgument) await serveFullLoad();
else if (given[0] === caControlArgument) await serveCaControl();
else process.exitCode = await main(given);
