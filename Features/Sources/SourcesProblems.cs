using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Sources;

/// <summary>The failures that only sources know.</summary>
public static class SourcesProblems
{
    public static readonly ProblemCode BadSignature = new(401, "bad_signature", "The signature is not the source's");

    /// <summary>The path is nobody's.</summary>
    public static Problem NoSource => Problems.NotFound.Because("Nothing comes in here.");
}
