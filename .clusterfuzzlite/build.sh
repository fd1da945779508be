#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
#
# ClusterFuzzLite calls this one; OSS-Fuzz and other farms copy the script that it calls.
exec bash -eu "$SRC/bast/fuzz/oss-fuzz/build.sh"
