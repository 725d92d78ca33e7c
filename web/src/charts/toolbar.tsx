/** How every chart of the page is looked at. */
import { useKeys } from '../shell/keys'
import { setParams } from '../shell/route'
import { AXES, brush, placeText, setAxis, setBrush, setZoom, smoothing, xAxis, zoom, type Stretch, type XAxis } from './view'
import { t } from './words'

const AXIS_WORDS = { timestep: 'axisTimestep', time: 'axisTime', update: 'axisUpdate', episode: 'axisEpisode' } as const

interface ToolbarProps {
  axes?: readonly XAxis[]
  explain?: (stretch: Stretch) => void
}

export function Toolbar({ axes = AXES, explain }: ToolbarProps) {
  useKeys([
    { key: 'Arrow ←→', says: () => t('keyLeft'), act: () => {} },
    { key: 'Shift+Arrow', says: () => t('keyBrush'), act: () => {} },
    { key: 'a', says: () => t('keyAxis'), act: () => setAxis(axes[(axes.indexOf(xAxis.value) + 1) % axes.length] as XAxis) },
    { key: 'z', says: () => t('keyZoom'), act: () => brush.value && setZoom(brush.value) },
    { key: 'u', says: () => t('keyOut'), act: () => setZoom(null) },
    ...(explain ? [{ key: 'e', says: () => t('keyExplain'), act: () => { if (brush.value) explain(brush.value) } }] : []),
    { key: 'Escape', says: () => t('keyClear'), act: () => setBrush(null) },
  ])
  const marked = brush.value
  return (
    <div class="tools chart-tools">
      <fieldset class="choice">
        <legend class="unseen">{t('axis')}</legend>
        {axes.map((x) => (
          <button key={x} aria-pressed={x === xAxis.value} onClick={() => setAxis(x)}>{t(AXIS_WORDS[x])}</button>
        ))}
      </fieldset>
      <label class="slider" title={t('smoothingSays')}>
        {t('smoothing')}
        <input type="range" min="0" max="0.98" step="0.02" value={smoothing.value}
          onInput={(event) => setParams({ smooth: event.currentTarget.value === '0.6' ? null : event.currentTarget.value })} />
        <output>{smoothing.value.toFixed(2)}</output>
      </label>
      {zoom.value && <button onClick={() => setZoom(null)}>{t('zoomOut')}</button>}
      {marked && (
        <span class="marked" role="status">
          {t('chosen', { from: placeText(marked.from), to: placeText(marked.to) })}
          {explain && <button class="main" onClick={() => explain(marked)}>{t('explain')}</button>}
          <button onClick={() => setZoom(marked)}>{t('zoomIn')}</button>
          <button onClick={() => setBrush(null)}>{t('clear')}</button>
        </span>
      )}
    </div>
  )
}
