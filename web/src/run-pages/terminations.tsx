import { useMemo } from 'preact/hooks'
import { Chart } from '../charts/chart'
import { smoothed } from '../charts/curve'
import { colour } from '../charts/palette'
import { shared } from '../charts/stack'
import { Toolbar } from '../charts/toolbar'
import { smoothing, xAxis, zoom } from '../charts/view'
import { reason } from '../live/reason-words'
import type { ReasonTable, Shares } from '../messages'
import type { PageProps } from '../shell/page'
import { at } from '../shell/api'
import { useAnswer } from '../shell/ask'
import { percent, whole } from '../shell/format'
import { Failure, Notice, Waiting } from '../shell/notices'
import { href, param, setParams, type Params } from '../shell/route'
import { termination as t } from './words'
import './run-pages.css'

const LIVE_MS = 4000
const chosenReason = param('reason')

export default function TerminationsPage({ run }: PageProps) {
  const query = { x: xAxis.value, start: zoom.value?.from, end: zoom.value?.to }
  const shares = useAnswer<Shares>(at`runs/${run}/shares`, { ...query, n: 200 }, LIVE_MS).value
  const table = useAnswer<ReasonTable>(at`runs/${run}/reasons`, query, LIVE_MS)
  const told = table.value.value
  const reasons = told?.reasons ?? []
  // The frequent end of a good robot is the time limit: what matters is how the others ended.
  const shown = reasons.includes(chosenReason.value) ? chosenReason.value : (reasons.find((name) => !/time|trunc/.test(name)) ?? reasons[0] ?? '')
  const x = useMemo(() => Float64Array.from(shares.value?.x ?? []), [shares.value])
  if (!told) return table.value.failure ? <Failure error={table.value.failure} again={table.again} /> : <Waiting />
  const all = told.total.reduce((sum, count) => sum + count, 0)
  if (!all) return <Notice title={t('none')}>{t('noneSays')}</Notice>
  // The colours of the reasons are the same on every page: by how frequent they are.
  const parts = reasons.map((name) => ({ name: reason(name), values: smoothed(Float64Array.from(shares.value?.reasons[name] ?? []), smoothing.value) }))
  const range = { from: zoom.value?.from ?? (xAxis.value === 'time' ? (x[0] ?? 0) : 0), to: zoom.value?.to ?? x.at(-1) ?? 1 }
  const stack = { stack: shared(x, x.length ? parts : []), colours: parts.map((_, i) => colour(i)), share: true, keys: Object.keys(shares.value?.reasons ?? {}) }
  const index = reasons.indexOf(shown)
  // Only timesteps are known to the episodes of every attempt.
  const reachable = xAxis.value === 'timestep' || !zoom.value
  // A stretch has both its ends, a window leaves out where it begins.
  const window = zoom.value ? { from: String(Math.ceil(zoom.value.from) - 1), to: String(Math.floor(zoom.value.to)) } : {}
  const gallery = (of: Params) => (reachable ? href('gallery', run, { ...window, reason: shown, ...of }) : undefined)
  return (
    <div class="page">
      <Toolbar />
      <h2 class="unseen">{t('ends')}</h2>
      <div class="charts">
        <Chart title={t('over')} names={parts.map((part) => part.name)} stack={stack} range={range} format={percent} wide height={240} />
        <section class="chart">
          <header><h3>{t('episodes', { count: whole(all) })}</h3> <span class="grow" />{reachable && <Way to={gallery({})}>{t('watch', { reason: reason(shown) })}</Way>}</header>
          <ul class="reasons">
            {reasons.map((name, i) => (
              <li key={name}>
                <button aria-pressed={name === shown} onClick={() => setParams({ reason: name })}>
                  <i style={{ background: colour(i) }} /> {reason(name)}
                  <span class="grow" />
                  <b>{percent((told.total[i] ?? 0) / all)}</b> <small>{whole(told.total[i])}</small>
                </button>
              </li>
            ))}
          </ul>
        </section>
        {told.commands.map((command, n) => (
          <section class="chart" key={command}>
            <header><h3>{t('byCommand', { command: t.maybe(command) ?? command })}</h3> <small>{t('share', { reason: reason(shown) })}</small></header>
            <Bars counts={told.by_command[n] ?? []} index={index} colour={colour(index)} to={(bin) => gallery({ command: commandOf(n, told.edges[n] ?? [], bin) })}
              labels={ranges(told.edges[n] ?? [])} />
          </section>
        ))}
        <section class="chart wide">
          <header><h3>{t('byEnv')}</h3> <small>{t('share', { reason: reason(shown) })}</small></header>
          <Cells counts={told.by_env} index={index} colour={colour(index)} to={(env) => (env < MOST_ENVS - 1 ? gallery({ env: String(env) }) : undefined)} />
        </section>
      </div>
    </div>
  )
}

/** Bins by their ends, all with as many decimals as tell them apart. */
function ranges(edges: readonly number[]): string[] {
  const width = (edges.at(-1) ?? 0) - (edges[0] ?? 0)
  const decimals = width > 0 ? Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(width / (edges.length - 1))))) : 2
  const told = edges.map((edge) => edge.toFixed(decimals).replace('-', '−'))
  return told.slice(0, -1).map((low, i) => t('range', { low, high: told[i + 1]! }))
}

/** The server tells environments beyond these together, in the last cell. */
const MOST_ENVS = 256

/** A bin as the gallery is asked for it: the outermost are open, so that none is lost to rounding. */
const commandOf = (n: number, edges: readonly number[], bin: number): string =>
  `${n}:${bin > 0 ? edges[bin] : ''}..${bin < edges.length - 2 ? edges[bin + 1] : ''}`

interface CountsProps {
  counts: number[][]
  index: number
  colour: string
  /** The gallery of those that a row tells of; none where they cannot be reached. */
  to: (row: number) => string | undefined
}

const sum = (row: readonly number[]) => row.reduce((all, count) => all + count, 0)

/** A link, where it leads somewhere. */
const Way = ({ to, children }: { to: string | undefined; children: preact.ComponentChildren }) => (to ? <a href={to}>{children}</a> : <>{children}</>)

function Bars({ counts, labels, index, colour: ink, to }: CountsProps & { labels: string[] }) {
  const shares = counts.map((row) => (row[index] ?? 0) / (sum(row) || 1))
  return (
    <ul class="bars">
      {counts.map((row, i) => (
        <li key={labels[i]}>
          <span>{row[index] ? <Way to={to(i)}>{labels[i]}</Way> : labels[i]}</span>
          <span class="bar-track"><i style={{ width: `${(shares[i] ?? 0) * 100}%`, background: ink }} /></span>
          <span class="num">{percent(shares[i])} <small>{whole(sum(row))}</small></span>
        </li>
      ))}
    </ul>
  )
}

function Cells({ counts, index, colour: ink, to }: CountsProps) {
  return (
    <ul class="cells">
      {counts.map((row, env) => {
        const share = (row[index] ?? 0) / (sum(row) || 1)
        const label = t('cell', { label: t('env', { env }), share: percent(share), count: sum(row) })
        const cell = <><i style={{ background: ink, opacity: share }} /><span class="unseen">{label}</span></>
        return <li key={env} title={label}>{row[index] ? <Way to={to(env)}>{cell}</Way> : cell}</li>
      })}
    </ul>
  )
}
