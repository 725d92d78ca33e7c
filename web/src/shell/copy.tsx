import { useSignal } from '@preact/signals'
import { words } from './words'

const t = words({ copy: 'Copy', copied: 'Copied', copyThis: 'Copy: {text}' }, { copy: '복사', copied: '복사됨', copyThis: '복사: {text}' })

/** A command to be pasted into a shell. */
export function Command({ text }: { text: string }) {
  const done = useSignal(false)
  const copy = async () => {
    await navigator.clipboard.writeText(text)
    done.value = true
    setTimeout(() => (done.value = false), 1500)
  }
  return (
    <span class="command">
      <code tabIndex={0}>{text}</code>
      <button aria-label={t('copyThis', { text })} onClick={() => void copy()}>{done.value ? t('copied') : t('copy')}</button>
    </span>
  )
}
