/// Everything: the local runtime, functions, remote calls and the connection to the node.
#pragma once

#include <kaido/context.h>
#include <kaido/distributed.h>
#include <kaido/error.h>
#include <kaido/function.h>
#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/join_set.h>
#include <kaido/local_runtime.h>
#include <kaido/node_runtime.h>
#include <kaido/placement.h>
#include <kaido/remote.h>
#include <kaido/result.h>
#include <kaido/runtime.h>
#include <kaido/service.h>
#include <kaido/spawn.h>
#include <kaido/task.h>
#include <kaido/time.h>
