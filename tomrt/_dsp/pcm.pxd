# What every kernel needs at its border: opening a buffer of samples, making the answer, and rounding to 16 bits.
# Inline functions only, so there is no module behind this file.

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.math cimport lrintf
from libc.stdint cimport int16_t, uint8_t, uintptr_t


cdef extern from *:
    """
    #ifndef TOMRT_BORROW
    #define TOMRT_BORROW
    static inline void tomrt_borrow(Py_buffer *view, char *bytes, Py_ssize_t length) {
        view->obj = NULL;
        view->buf = bytes;
        view->len = length;
    }
    #endif
    """
    void tomrt_borrow(Py_buffer *view, char *bytes, Py_ssize_t length) noexcept


cdef inline int open_bytes(object data, Py_buffer *view) except -1:
    """Open *data* for reading; the caller releases *view* and keeps *data* until then."""
    if PyBytes_CheckExact(data):
        # The common case needs no protocol: bytes stay where they are. Releasing a view of nobody does nothing.
        tomrt_borrow(view, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        return 0
    PyObject_GetBuffer(data, view, PyBUF_SIMPLE)
    return 0


cdef inline int open_samples(object pcm, Py_buffer *view) except -1:
    """Open *pcm* for reading as whole, aligned 16-bit samples; the caller releases *view*."""
    open_bytes(pcm, view)
    if view.len & 1:
        length = view.len
        PyBuffer_Release(view)
        raise ValueError(f"16-bit PCM has an even number of bytes, and this buffer has {length}.")
    if <uintptr_t> view.buf & 1:
        # A memoryview cut at an odd byte: C may not read 16-bit numbers there.
        copy = PyBytes_FromStringAndSize(<const char *> view.buf, view.len)
        PyBuffer_Release(view)
        PyObject_GetBuffer(copy, view, PyBUF_SIMPLE)
    return 0


cdef inline bytes new_bytes(Py_ssize_t length):
    """Return a new bytes object whose content the caller still has to write."""
    return PyBytes_FromStringAndSize(NULL, length)


cdef inline int16_t *samples_of(bytes fresh) noexcept:
    """Return where the samples of a fresh bytes object are written."""
    return <int16_t *> PyBytes_AS_STRING(fresh)


cdef inline int16_t to_sample(float value) noexcept nogil:
    """Round to the nearest sample (halves to even), saturating."""
    if value > 32767.0:
        value = 32767.0
    elif value < -32768.0:
        value = -32768.0
    return <int16_t> lrintf(value)
