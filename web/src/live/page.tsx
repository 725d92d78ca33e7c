import { useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { Chart, type ChartProps } from '../charts/chart'
import { smoothed, type Curve } from '../charts/curve'
import { colour } from '../charts/palette'
import type { Format, Line } from '../charts/plot'
import { RunCurves } from '../charts/run-curves'
import { shared, stacked } from '../charts/stack'
import { Toolbar } from '../charts/toolbar'
import { readStretch, smoothing, writeStretch, xAxis, zoom, type Stretch } from '../charts/view'
import type { Overview, RunRow } from '../messages'
import type { PageProps } from '../shell/page'
import { bytes, compact, duration, figure, percent, whole } from '../shell/format'
import { Failure, Notice } from '../shell/notices'
import { href, param, route, setParams } from '../shell/route'
import { bucketsFor, components, groups, isCost, keyOf, plainName, TIMES } from './layout'
import { Alerts } from './alerts'
import { Explain } from './explain'
import { reason } from './reason-words'
import { Strip } from './strip'
import { hint, metric, t } from './words'
import './live.css'

export default function LivePage({ run }: PageProps) {
  const data = useMemo(() => new RunCurves(run), [run])
  useEffect(() => {
    void data.begin()
    return () => data.close()
  }, [data])
  const overview = data.overview.value
  if (!overview) return data.failure.value ? <Failure error={data.failure.value} again={() => void data.begin()} /> : null
  if (!overview.fields.length) return <Empty overview={overview} data={data} />
  return <Charts data={data} overview={overview} />
}

function Empty({ overview, data }: { overview: Overview; data: RunCurves }) {
  const begins = ['running', 'stalled'].includes(overview.row.state)
  useEffect(() => {
    const timer = setInterval(() => void data.begin(), 1000)
    return () => clearInterval(timer)
  }, [])
  if (begins) return <Notice title={t('waiting')}>{t('waitingSays')}</Notice>
  return (
    <Notice title={t('notRecorded')}>
      <p>{t('notRecordedSays')}</p>
      <pre>from trackway.sb3 import RecorderCallback{'\n'}model.learn(1_000_000, callback=RecorderCallback("models/my_run"))</pre>
    </Notice>
  )
}

function Charts({ data, overview }: { data: RunCurves; overview: Overview }) {
  const more = (route.value.params.get('more') ?? '').split(',').filter(Boolean)
  const shown = groups(overview, more)
  const terms = components(overview)
  const known = new Set(overview.fields.map(keyOf))
  const times = TIMES.filter((key) => known.has(key))
  const keys = new Map([...shown.flatMap((group) => group.keys), ...terms, ...times].map((key) => [key, bucketsFor(key, overview)]))
  const asked = [...keys].join()
  useEffect(() => {
    void data.ask({ keys, x: xAxis.value, zoom: zoom.value })
  }, [asked, xAxis.value, zoom.value?.from, zoom.value?.to])

  const range = extent(data, [...keys.keys()])
  const markers = overview.markers.filter((marker) => marker.at[xAxis.value] >= range.from && marker.at[xAxis.value] <= range.to && SHOWN.has(marker.kind))
  const single = (key: string, wide = false) => {
    const found = data.curve(key).value
    return (
      <Chart key={key} title={titleOf(key)} hint={hint.maybe(key)} unit={formatOf(key) ? undefined : found?.unit} names={[titleOf(key)]} wide={wide}
        lines={found ? [line(found, 0, key)] : []} markers={markers} range={range} format={formatOf(key)} standing={standingOf(key, overview.row)} bounds={key === 'episodes:is_success' ? [0, 1] : undefined} height={wide ? 200 : 150}>
        {more.includes(key) && (
          <button class="quiet" aria-label={t('remove', { name: titleOf(key) })} onClick={() => setParams({ more: more.filter((each) => each !== key).join() })}>×</button>
        )}
      </Chart>
    )
  }
  const [episodes, learner, speed, own] = shown
  const explained = readStretch(explainParam.value)
  return (
    <div class="page live">
      <Status data={data} overview={overview} />
      <Alerts run={data.run} range={range} />
      <Toolbar explain={(stretch) => setParams({ explain: writeStretch(stretch) })} />
      {explained && <Explain key={`${explained.from}..${explained.to}`} run={data.run} stretch={explained} close={() => setParams({ explain: null })} />}
      {data.failure.value ? <Failure error={data.failure.value} /> : null}
      <h2 class="unseen">{t('episodes')}</h2>
      <div class="charts">
        {episodes!.keys.map((key, i) => single(key, i === 0))}
        <Components data={data} keys={terms} range={range} markers={markers} />
        <Shares data={data} range={range} markers={markers} />
        <Strip run={data.run} range={range} timesteps={data.timesteps.value} />
      </div>
      {learner!.keys.length > 0 && <Section title={t('learner')}>{learner!.keys.map((key) => single(key))}</Section>}
      <Section title={t('speed')}>
        {times.length > 0 && <Times data={data} keys={times} range={range} markers={markers} />}
        {speed!.keys.map((key) => single(key))}
      </Section>
      <Section title={t('more')} tools={<Picker overview={overview} more={more} />}>{own!.keys.map((key) => single(key))}</Section>
    </div>
  )
}

const explainParam = param('explain')

function Section({ title, tools, children }: { title: string; tools?: preact.ComponentChildren; children: preact.ComponentChildren }) {
  return (
    <section class="group">
      <header class="tools"><h2>{title}</h2>{tools}</header>
      <div class="charts">{children}</div>
    </section>
  )
}

/** Marks that stand on the curves; others are told on their own pages. */
const SHOWN = new Set(['begin', 'checkpoint', 'not_finite', 'simulation_diverged', 'signal', 'end', 'phase'])
const BYTES = new Set(['system:memory_bytes', 'system:memory_free_bytes', 'system:disk_free_bytes', 'system:gpu_memory_bytes'])

const titleOf = (key: string): string => metric.maybe(key) ?? plainName(key)

/** What the list of runs says as well: one run, one figure. */
function standingOf(key: string, row: RunRow): ChartProps['standing'] {
  const figures = { 'episodes:return': row.return_mean, 'episodes:length': row.length_mean, 'episodes:is_success': row.success }
  return key in figures ? { values: [figures[key as keyof typeof figures]], says: t('lastEpisodes') } : undefined
}

function formatOf(key: string): Format | undefined {
  if (key === 'episodes:is_success') return percent
  if (BYTES.has(key)) return bytes
  if (key === 'system:cpu_percent') return (value) => (value === null ? '–' : `${whole(value)} %`)
  return undefined
}

const line = (curve: Curve, i: number, key: string): Line => {
  const shown = smoothed(curve.mean, smoothing.value)
  // Success is 0 or 1: its extremes tell nothing.
  const drawn = key === 'episodes:is_success' ? { ...curve, lo: shown, hi: shown } : curve
  return { curve: drawn, shown, colour: colour(i) }
}

function extent(data: RunCurves, keys: readonly string[]): Stretch {
  if (zoom.value) return zoom.value
  let [from, to] = [Infinity, -Infinity]
  for (const key of keys) {
    const x = data.curve(key).value?.x
    if (!x?.length) continue
    from = Math.min(from, x[0] as number)
    to = Math.max(to, x.at(-1) as number)
  }
  if (!(from < to)) return { from: 0, to: 1 }
  return { from: xAxis.value === 'time' ? from : 0, to }
}

interface PartProps {
  data: RunCurves
  range: Stretch
  markers: Overview['markers']
}

function Components({ data, keys, range, markers }: PartProps & { keys: readonly string[] }) {
  const found = keys.map((key) => data.curve(key).value).filter((curve): curve is Curve => !!curve?.x.length)
  if (!keys.length) return null
  const x = found[0]?.x ?? new Float64Array()
  // Curves of one stream share their places; one that just grew alone waits for the others.
  const parts = found.map((curve) => {
    const values = smoothed(curve.mean, smoothing.value)
    return { name: plainName(curve.key), values: isCost(curve.key) ? values.map((value) => -value) : values }
  })
  const stack = { stack: stacked(x, parts), colours: parts.map((_, i) => colour(i)), share: false }
  return <Chart title={t('components')} hint={t('componentsSays')} names={parts.map((part) => part.name)} stack={stack} range={range} markers={markers} wide height={220} />
}

function Shares({ data, range, markers }: PartProps) {
  const shares = data.shares.value
  if (!shares) return null
  const x = Float64Array.from(shares.x)
  const parts = Object.entries(shares.reasons).map(([name, counts]) => ({ name: reason(name), values: smoothed(Float64Array.from(counts), smoothing.value) }))
  const stack = { stack: shared(x, parts), colours: parts.map((_, i) => colour(i)), share: true, keys: Object.keys(shares.reasons) }
  return <Chart title={t('shares')} hint={t('sharesSays')} names={parts.map((part) => part.name)} stack={stack} range={range} markers={markers} format={percent} fills height={150} />
}

function Times({ data, keys, range, markers }: PartProps & { keys: readonly string[] }) {
  const found = keys.map((key) => data.curve(key).value).filter((curve): curve is Curve => !!curve?.x.length)
  const x = found[0]?.x ?? new Float64Array()
  const parts = found.map((curve) => ({ name: titleOf(curve.key), values: smoothed(curve.mean, smoothing.value) }))
  const stack = { stack: stacked(x, parts), colours: parts.map((_, i) => colour(i)), share: false }
  return <Chart title={t('time')} hint={t('timeSays')} unit="s" names={parts.map((part) => part.name)} stack={stack} range={range} markers={markers} />
}

const STOPPED: ReadonlySet<string> = new Set(['interrupted', 'crashed', 'failed'])

/** One line that says how the training stands. */
function Status({ data, overview }: { data: RunCurves; overview: Overview }) {
  const { row } = overview
  const done = data.timesteps.value ?? row.timesteps
  const running = row.state === 'running'
  const left = running && row.planned && row.steps_per_s && done !== null ? Math.max(0, row.planned - done) / row.steps_per_s : null
  return (
    <p class="status">
      <b>{row.planned ? t('of', { done: compact(done), planned: compact(row.planned) }) : compact(done)}</b>
      {left !== null && <span>{t('left', { time: duration(left) })}</span>}
      {row.steps_per_s !== null && <span>{t('perSecond', { speed: whole(row.steps_per_s) })}</span>}
      <span>{[row.algorithm, row.environment].filter(Boolean).join(' · ')}</span>
      {overview.num_envs > 0 && <span>{t('envs', { count: overview.num_envs })}</span>}
      {STOPPED.has(row.state) && row.checkpoints > 0 && <a href={href('checkpoints', row.id)}>{t('goOn')}</a>}
      {row.attempts > 1 && <span>{t('attempt', { count: row.attempts })}</span>}
      <span class="grow" />
      {running && <a href={href('episode', data.run, { live: '1' }, ['latest'])}>{t('watchNewest')}</a>}
      <Pulse data={data} running={running} />
    </p>
  )
}

function Pulse({ data, running }: { data: RunCurves; running: boolean }) {
  if (data.connection.value === 'away') return <span class="pulse bad" role="status">{t('away')}</span>
  const newest = data.newest.value
  if (!running || !newest) return null
  return <span class="pulse">{t('live')}</span>
}

function Picker({ overview, more }: { overview: Overview; more: readonly string[] }) {
  const text = useSignal('')
  const known = overview.fields.flatMap((field) => {
    const key = keyOf(field)
    return field.numbers === 1 ? [key] : Array.from({ length: Math.min(field.numbers, 64) }, (_, i) => `${key}#${i}`)
  })
  const add = (key: string) => {
    if (!known.includes(key)) return
    text.value = ''
    if (!more.includes(key)) setParams({ more: [...more, key].join() })
  }
  return (
    <>
      <input type="search" list="all-curves" value={text.value} placeholder={t('addCurve')} aria-label={t('addCurve')} title={t('moreSays')}
        onInput={(event) => { text.value = event.currentTarget.value; add(text.value) }} onChange={(event) => add(event.currentTarget.value)} />
      <datalist id="all-curves">{known.map((key) => <option key={key} value={key} />)}</datalist>
      {more.length === 0 && <span class="muted">{t('moreSays')} ({figure(known.length)})</span>}
    </>
  )
}
