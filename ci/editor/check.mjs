// Drives the real YAML language server over stdio, as an editor does: a scenario whose first
// line names the schema must get completion, hover and diagnostics from it.
// Usage: node check.mjs SERVER FOLDER DOCS. FOLDER is one that `stormproof new --dir` wrote into;
// the file DOCS must show what is printed.
import {spawn} from 'node:child_process'
import {readdirSync, readFileSync} from 'node:fs'
import {join, resolve} from 'node:path'
import {pathToFileURL} from 'node:url'

const [server, folder, docs] = process.argv.slice(2)
const written = readdirSync(folder, {recursive: true}).find(name => name.endsWith('.yaml'))
const path = resolve(join(folder, written)), uri = pathToFileURL(path).href
const child = spawn(process.execPath, [server, '--stdio'], {stdio: ['pipe', 'pipe', 'inherit']})
const waiting = new Map(), diagnostics = []
let input = Buffer.alloc(0), nextID = 0, onDiagnostics = () => {}

const post = message => {
  const body = JSON.stringify({jsonrpc: '2.0', ...message})
  child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}
const ask = (method, params) => new Promise((done, failed) => {
  waiting.set(++nextID, answer => answer.error ? failed(new Error(answer.error.message)) : done(answer.result))
  post({id: nextID, method, params})
})
child.stdout.on('data', chunk => {
  input = Buffer.concat([input, chunk])
  for (let end; (end = input.indexOf('\r\n\r\n')) >= 0;) {
    const size = Number(/Content-Length: (\d+)/i.exec(input.subarray(0, end))[1])
    if (input.length < end + 4 + size) return
    const message = JSON.parse(input.subarray(end + 4, end + 4 + size))
    input = input.subarray(end + 4 + size)
    if (message.method === 'textDocument/publishDiagnostics') onDiagnostics(message.params)
    else if (message.method && message.id !== undefined) post({id: message.id, result: message.method === 'workspace/configuration' ? message.params.items.map(() => ({})) : null})
    else waiting.get(message.id)?.(message)
  }
})

let version = 1
const change = text => new Promise(done => {
  onDiagnostics = params => params.version === undefined || params.version === version ? done(params.diagnostics) : null
  post({method: 'textDocument/didChange', params: {textDocument: {uri, version: ++version}, contentChanges: [{text}]}})
})
let printed = ''
const say = line => { printed += line + '\n'; console.log(line) }
const demand = (name, got, want) => {
  if (!want.test(got)) throw new Error(`${name}: got ${got}, want ${want}`)
  say(`${name}\n    ${got}`)
}
const told = problems => problems.map(d => `line ${d.range.start.line + 1}: ${d.message}`).join('; ')
const plain = text => (typeof text === 'string' ? text : text?.value ?? text?.contents?.value ?? '').replaceAll('&nbsp;', ' ').replace(/\s+/g, ' ').trim()

const deadline = setTimeout(() => { console.error('no answer for 60 s'); child.kill(); process.exit(1) }, 60_000)
try {
  await ask('initialize', {processId: process.pid, rootUri: null, capabilities: {workspace: {configuration: true}, textDocument: {hover: {contentFormat: ['plaintext']}, completion: {completionItem: {documentationFormat: ['plaintext']}}}}})
  post({method: 'initialized', params: {}})
  const text = readFileSync(path, 'utf8')
  post({method: 'textDocument/didOpen', params: {textDocument: {uri, languageId: 'yaml', version, text}}})
  say(text.split('\n')[0])
  demand('what stormproof new wrote has no problem', String((await change(text)).length), /^0$/)

  const lines = (text + '  - \n').split('\n')
  await change(lines.join('\n'))
  const at = {line: lines.length - 2, character: 4}
  const offered = (await ask('textDocument/completion', {textDocument: {uri}, position: at})).items
  for (const [step, says] of [['send', /Post alerts/], ['fault', /Arm a fault/], ['eventually', /must become true/], ['use', /fragment/]]) {
    const item = offered.find(o => o.label === step)
    demand(`completion at a step offers ${step}`, plain(item?.documentation), says)
  }
  const inside = (text + '  - fault:\n      id: f\n      ').split('\n')
  await change(inside.join('\n'))
  const fields = (await ask('textDocument/completion', {textDocument: {uri}, position: {line: inside.length - 1, character: 6}})).items
  demand('completion inside of a fault offers target', plain(fields.find(o => o.label === 'target')?.documentation), /stands in front of/)
  demand('a field that is missing', told(await change(text + '  - fault: {id: f, target: redis}\n')), /Missing property "kind"/)
  demand('a typo', told(await change(text.replace('verdicts:', 'verdcits:'))), /Property verdcits is not allowed/)
  await change(text)
  const where = {line: text.split('\n').findIndex(l => l.includes('verdicts:')), character: 8}
  demand('hover over verdicts', plain((await ask('textDocument/hover', {textDocument: {uri}, position: where}))?.contents).replace(/^[# |]*(Stormproof scenario[ |]*)+/, '').split(' Source:')[0], /Exact number of alerts by verdict/)
  const parameter = text.replace('alerts:\n', 'times: "{{n}}"\n      alerts:\n')
  demand('a parameter in place of a number has no problem', String((await change(parameter)).length), /^0$/)
  if (!readFileSync(docs, 'utf8').includes('```\n' + printed + '```\n')) throw new Error(`${docs} shows something else; paste what is printed above`)
} catch (err) {
  console.error('editor test failed:', err.message)
  process.exitCode = 1
} finally {
  clearTimeout(deadline)
  child.kill()
}
