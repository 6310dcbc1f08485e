import { NodeEngine } from '../../../gateway/engine/index.ts';
import { downSuite } from './down-suite.ts';

downSuite('node', (options, tables) => new NodeEngine(options, tables));
