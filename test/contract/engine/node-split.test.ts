import { NodeEngine } from '../../../gateway/engine/index.ts';
import { splitSuite } from './split-suite.ts';

splitSuite('node', (options, tables) => new NodeEngine(options, tables));
