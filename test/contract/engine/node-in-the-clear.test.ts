import { NodeEngine } from '../../../gateway/engine/index.ts';
import { inTheClearSuite } from './in-the-clear-suite.ts';

inTheClearSuite('node', (options, tables) => new NodeEngine(options, tables));
