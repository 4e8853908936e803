"""Random changes of a log-mel during training that do not change its tag.

The paper does without them, and they are off by default. Small catalogues need them.
"""

import dataclasses

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """What is changed in each example; 0 switches a change off.

    Attributes:
      crop_frames: the network sees a random window of this many frames, not the whole excerpt.
      gain_db: loudness is changed by up to this much, up or down.
      tilt_db: the spectrum is tilted by up to this much between lowest and highest band.
      shift_bands: the spectrum is moved by up to this many mel bands, up or down.
      mask_bands: up to this many neighbouring bands are silenced.
      mask_frames: up to this many neighbouring frames are silenced.
    """

    crop_frames: int = 0
    gain_db: float = 0.0
    tilt_db: float = 0.0
    shift_bands: int = 0
    mask_bands: int = 0
    mask_frames: int = 0


def _mask(key: jax.Array, length: int, widest: int) -> jax.Array:
    """A random mask, bool [length], that is False at up to `widest` neighbouring places."""
    width_key, start_key = jax.random.split(key)
    width = jax.random.randint(width_key, (), 0, min(widest, length) + 1)
    start = jax.random.randint(start_key, (), 0, length - width + 1)
    places = jnp.arange(length)
    return (places < start) | (places >= start + width)


def augment_one(key: jax.Array, mel: jax.Array, config: AugmentConfig) -> jax.Array:
    """Augments one example.

    Args:
      key: PRNG key of this example at this step.
      mel: float [frames, bands], m = log(1 + C x) of mel power x (section 2.3). A gain g turns
        it into log(1 + g (e^m - 1)), for any C.
      config: what to change, and how much.

    Returns:
      float32 [crop_frames or frames, bands].
    """
    keys = jax.random.split(key, 6)
    mel = mel.astype(jnp.float32)
    frames, bands = mel.shape
    if config.crop_frames and config.crop_frames < frames:
        start = jax.random.randint(keys[0], (), 0, frames - config.crop_frames + 1)
        mel = jax.lax.dynamic_slice(mel, (start, 0), (config.crop_frames, bands))
    if config.gain_db or config.tilt_db:
        gain = config.gain_db * jax.random.uniform(keys[1], (), minval=-1, maxval=1)
        tilt = config.tilt_db * jax.random.uniform(keys[2], (), minval=-1, maxval=1)
        decibel = gain + tilt * jnp.linspace(-0.5, 0.5, bands)
        mel = jnp.log1p(10 ** (decibel / 10) * jnp.expm1(mel))
    if config.shift_bands:
        shift = jax.random.randint(keys[3], (), -config.shift_bands, config.shift_bands + 1)
        padded = jnp.pad(mel, ((0, 0), (config.shift_bands, config.shift_bands)), mode="edge")
        mel = jax.lax.dynamic_slice(padded, (0, config.shift_bands + shift), mel.shape)
    if config.mask_bands:
        mel = mel * _mask(keys[4], bands, config.mask_bands)
    if config.mask_frames:
        mel = mel * _mask(keys[5], mel.shape[0], config.mask_frames)[:, None]
    return mel


def augment(
    key: jax.Array, mel: jax.Array, positions: jax.Array, config: AugmentConfig
) -> jax.Array:
    """Augments a batch.

    The change of an example depends on `key` and its position alone.

    Args:
      key: PRNG key of the step.
      mel: float [batch, frames, bands].
      positions: int32 [batch], places in the global batch.
      config: what to change; with all fields 0 `mel` is returned unchanged.

    Returns:
      float32 [batch, crop_frames or frames, bands], or `mel`.
    """
    if config == AugmentConfig():
        return mel

    def changed(position: jax.Array, example: jax.Array) -> jax.Array:
        return augment_one(jax.random.fold_in(key, position), example, config)

    return jax.vmap(changed)(positions, mel)
