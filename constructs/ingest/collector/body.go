package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"

	"github.com/shopstream/shopstream/constructs/event"
)

// maxBodyBytes bounds what the bodies of all requests take together, those
// that arrive slowly included.
const maxBodyBytes = 64 << 20

var (
	errMemory   = refusal{http.StatusServiceUnavailable, "unavailable", "more batches arrive than there is memory for; send the batch again", ""}
	errTooLarge = refusal{http.StatusRequestEntityTooLarge, "batch_too_large", fmt.Sprintf("a batch has at most %d bytes", event.MaxBatchBytes), ""}
	errCut      = refusal{http.StatusRequestTimeout, "body_incomplete", "the body did not arrive whole; send the batch again", ""}
	errNotGzip  = refusal{http.StatusBadRequest, "malformed_json", "the body begins as gzip does, but is none", ""}
)

// bodies reads bodies into memory that is bounded.
type bodies struct{ taken atomic.Int64 } // bytes

// body is what a request brought. It is there until it is released.
type body struct {
	bytes []byte
	of    *bodies
	taken int
}

const firstBytes = 16 << 10 // most batches fit

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, firstBytes); return &b }}

// new returns an empty body, or errMemory.
func (bs *bodies) new() (*body, error) {
	b := &body{of: bs}
	if !b.take(firstBytes) {
		return nil, errMemory
	}
	b.bytes = *buffers.Get().(*[]byte)
	return b, nil
}

func (b *body) take(n int) bool {
	if b.of.taken.Add(int64(n)) > maxBodyBytes {
		b.of.taken.Add(-int64(n))
		return false
	}
	b.taken += n
	return true
}

// release ends the use of b, which may be nil.
func (b *body) release() {
	if b == nil {
		return
	}
	b.of.taken.Add(-int64(b.taken))
	if cap(b.bytes) == firstBytes {
		empty := b.bytes[:0]
		buffers.Put(&empty)
	}
	b.bytes, b.taken = nil, 0
}

// fill reads r to its end. Memory is taken as bytes arrive: who only announces
// a large body takes none.
func (b *body) fill(r io.Reader) error {
	for {
		n, err := r.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case len(b.bytes) > event.MaxBatchBytes:
			return errTooLarge
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case len(b.bytes) < cap(b.bytes):
			continue
		}
		more := cap(b.bytes)
		if 2*more >= event.MaxBatchBytes {
			more = event.MaxBatchBytes + 1 - more // one over the cap tells that there is more
		}
		if !b.take(more) {
			return errMemory
		}
		b.bytes = append(make([]byte, 0, cap(b.bytes)+more), b.bytes...)
	}
}

// read returns the request's body, decompressed, or a refusal. What the
// network cut short is not the batch's fault: it comes again.
func (bs *bodies) read(r io.Reader) (*body, error) {
	b, err := bs.new()
	if err != nil {
		return nil, err
	}
	if err := b.fill(r); err != nil {
		b.release()
		if !errors.As(err, new(refusal)) {
			err = errCut
		}
		return nil, err
	}
	// The body tells, not Content-Encoding: API Gateway may decompress and leave
	// the header, and sendBeacon sets none. No JSON begins like that.
	if !bytes.HasPrefix(b.bytes, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	defer b.release()
	return bs.unzip(b.bytes)
}

var unzippers = sync.Pool{New: func() any { return new(gzip.Reader) }}

func (bs *bodies) unzip(zipped []byte) (*body, error) {
	b, err := bs.new()
	if err != nil {
		return nil, err
	}
	z := unzippers.Get().(*gzip.Reader)
	defer unzippers.Put(z)
	if err = z.Reset(bytes.NewReader(zipped)); err == nil {
		err = b.fill(z)
	}
	if err != nil {
		b.release()
		if !errors.As(err, new(refusal)) {
			err = errNotGzip
		}
		return nil, err
	}
	return b, nil
}
