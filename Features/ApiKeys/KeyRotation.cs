using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.ApiKeys;

/// <summary>How a key is rotated.</summary>
/// <param name="OverlapSeconds">How long the old one is still taken, a week at most; null: a day. 0: not at all.</param>
public sealed record KeyRotation([property: Range(0, KeyRotation.MaxOverlapSeconds)] int? OverlapSeconds)
    : IExampled<KeyRotation>
{
    public const int Usual = 86_400;
    public const int MaxOverlapSeconds = 604_800;

    public static KeyRotation Example => new(3_600);
}
