/// Everything in kaido/sync/: channels and locks for tasks.
#pragma once

#include <kaido/sync/mpsc.h>
#include <kaido/sync/mutex.h>
#include <kaido/sync/oneshot.h>
#include <kaido/sync/rwlock.h>
#include <kaido/sync/semaphore.h>
