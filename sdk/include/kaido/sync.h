/// Everything in kaido/sync/: channels and locks for tasks.
#pragma once

#include <kaido/sync/barrier.h>
#include <kaido/sync/broadcast.h>
#include <kaido/sync/cancellation_token.h>
#include <kaido/sync/mpsc.h>
#include <kaido/sync/mutex.h>
#include <kaido/sync/notify.h>
#include <kaido/sync/once_cell.h>
#include <kaido/sync/oneshot.h>
#include <kaido/sync/rwlock.h>
#include <kaido/sync/semaphore.h>
#include <kaido/sync/set_once.h>
#include <kaido/sync/watch.h>
