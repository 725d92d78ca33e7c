import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { keys } from './keys'
import { t } from './shell-words'

export const helpOpen = signal(false)

export function KeysHelp() {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (helpOpen.value) dialog.current?.showModal()
    else dialog.current?.close()
  }, [helpOpen.value])
  // A page's key hides the shell's key of the same name.
  const listed = new Map(keys.value.map((key) => [key.key, key]))
  return (
    <dialog ref={dialog} class="keys" aria-labelledby="keys-title" onClose={() => (helpOpen.value = false)}>
      <h2 id="keys-title">{t('keysTitle')}</h2>
      <dl>
        {[...listed.values()].map((key) => (
          <div key={key.key}>
            <dt>
              {key.key.split(' ').map((part) => (
                <kbd key={part}>{part === 'Escape' ? 'Esc' : part}</kbd>
              ))}
            </dt>
            <dd>{key.says()}</dd>
          </div>
        ))}
      </dl>
      <button onClick={() => (helpOpen.value = false)}>{t('close')}</button>
    </dialog>
  )
}
